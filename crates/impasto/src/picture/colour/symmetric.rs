//! Symmetric matrices of 3 x 3: roots by Jacobi's rotations, in one order of sums on every machine.

/// Rows of a matrix.
pub type Matrix = [[f64; 3]; 3];

/// Rounds of rotations; a matrix of this size is diagonal to the last bit after some five.
const ROUNDS: usize = 12;

/// The symmetric root of a positive matrix. An eigenvalue that rounding made negative is 0.
pub fn root(matrix: &Matrix) -> Matrix {
    rebuilt(matrix, |value| value.max(0.0).sqrt())
}

/// The inverse of the symmetric root of a matrix whose eigenvalues are `least` or more; what rounding made smaller is taken
/// for that.
pub fn inverse_root(matrix: &Matrix, least: f64) -> Matrix {
    rebuilt(matrix, |value| 1.0 / value.max(least).sqrt())
}

/// B M B, for symmetric B and M.
pub fn conjugated(matrix: &Matrix, by: &Matrix) -> Matrix {
    let product = times(&times(by, matrix), by);
    // Equal to the last bit on both sides, which rounding is not.
    let mut symmetric = product;
    for (row, values) in symmetric.iter_mut().enumerate() {
        for (column, value) in values.iter_mut().enumerate() {
            *value = 0.5 * (product[row][column] + product[column][row]);
        }
    }
    symmetric
}

/// M v.
pub fn product(matrix: &Matrix, vector: [f64; 3]) -> [f64; 3] {
    matrix.map(|row| row[0] * vector[0] + row[1] * vector[1] + row[2] * vector[2])
}

fn times(left: &Matrix, right: &Matrix) -> Matrix {
    left.map(|row| [0, 1, 2].map(|column| (0..3).map(|inner| row[inner] * right[inner][column]).sum()))
}

/// U f(D) U^T, where the matrix is U D U^T.
fn rebuilt(matrix: &Matrix, of_value: impl Fn(f64) -> f64) -> Matrix {
    let (values, vectors) = decomposed(matrix);
    let values = values.map(of_value);
    let mut out = [[0.0; 3]; 3];
    for (row, out) in out.iter_mut().enumerate() {
        for (column, out) in out.iter_mut().enumerate() {
            *out = (0..3).map(|place| vectors[row][place] * values[place] * vectors[column][place]).sum();
        }
    }
    out
}

/// Eigenvalues, and the eigenvectors as columns (Jacobi, 1846; the rotation as in Golub and Van Loan, section 8.5).
fn decomposed(matrix: &Matrix) -> ([f64; 3], Matrix) {
    let (mut rotated, mut vectors) = (*matrix, [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]);
    for _ in 0..ROUNDS {
        for (first, second) in [(0, 1), (0, 2), (1, 2)] {
            rotate(&mut rotated, &mut vectors, first, second);
        }
    }
    ([rotated[0][0], rotated[1][1], rotated[2][2]], vectors)
}

/// Makes the element at (`first`, `second`) 0.
fn rotate(matrix: &mut Matrix, vectors: &mut Matrix, first: usize, second: usize) {
    let beside = matrix[first][second];
    if beside == 0.0 {
        return;
    }
    let slope = (matrix[second][second] - matrix[first][first]) / (2.0 * beside);
    // A slope beyond every number is an element too small to matter, and the angle 0.
    let tangent = 1.0_f64.copysign(slope) / (slope.abs() + (1.0 + slope * slope).sqrt());
    let cosine = 1.0 / (1.0 + tangent * tangent).sqrt();
    let sine = tangent * cosine;
    for row in matrix.iter_mut().chain(vectors) {
        (row[first], row[second]) =
            (cosine * row[first] - sine * row[second], sine * row[first] + cosine * row[second]);
    }
    let (upper, lower) = (matrix[first], matrix[second]);
    matrix[first] = [0, 1, 2].map(|column| cosine * upper[column] - sine * lower[column]);
    matrix[second] = [0, 1, 2].map(|column| sine * upper[column] + cosine * lower[column]);
    (matrix[first][second], matrix[second][first]) = (0.0, 0.0);
}

#[cfg(test)]
mod tests {
    use super::*;

    const MATRICES: [Matrix; 6] = [
        [[2.0, 0.5, 0.1], [0.5, 1.0, -0.3], [0.1, -0.3, 0.7]],
        [[0.07, 0.066, 0.065], [0.066, 0.067, 0.068], [0.065, 0.068, 0.072]],
        [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0], [1.0, 1.0, 1.0]],
        [[1e-5, 0.0, 0.0], [0.0, 1e-5, 0.0], [0.0, 0.0, 1e-5]],
        [[0.0; 3]; 3],
        [[1.0, 1e-200, 0.0], [1e-200, 1e-300, 0.0], [0.0, 0.0, 3.0]],
    ];

    fn worst_apart(left: &Matrix, right: &Matrix) -> f64 {
        let values = left.iter().flatten().zip(right.iter().flatten());
        values
            .map(|(left, right)| (left - right).abs())
            .fold(0.0, |most, it| if it > most || it.is_nan() { it } else { most })
    }

    #[test]
    fn a_root_times_itself_is_the_matrix() {
        for matrix in MATRICES {
            let root = root(&matrix);
            assert!(worst_apart(&times(&root, &root), &matrix) < 1e-14, "{matrix:?}");
        }
    }

    #[test]
    fn an_inverse_root_undoes_the_root() {
        for matrix in &MATRICES[..2] {
            let identity = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
            assert!(worst_apart(&times(&root(matrix), &inverse_root(matrix, 1e-9)), &identity) < 1e-9, "{matrix:?}");
        }
        assert_eq!(inverse_root(&[[0.0; 3]; 3], 0.25), [[2.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 2.0]]);
    }
}
