//! An image in which regions have a colour each, and a mask for each of them.

use super::Picture;

/// How far a colour may be from a region's in any channel, in units of 0..255: editors round, and JPEG files smear.
const TOLERANCE: f32 = 32.0;

/// A mask for each colour, RGB: white where the labels have that colour, or none nearer. What is near none of them is in no mask.
#[must_use]
pub fn masks_of_labels(labels: &Picture, colours: &[[u8; 3]]) -> Vec<Picture> {
    let positions = labels.width * labels.height;
    let distance = |place: usize, colour: &[u8; 3]| {
        let of_channel =
            |channel: usize| (labels.values[channel * positions + place] - f32::from(colour[channel])).abs();
        (0..3).map(of_channel).fold(0.0, f32::max)
    };
    let nearest: Vec<Option<usize>> = (0..positions)
        .map(|place| {
            let distances = colours.iter().map(|colour| distance(place, colour)).enumerate();
            let nearest = distances.min_by(|one, other| one.1.total_cmp(&other.1));
            nearest.filter(|&(_, distance)| distance <= TOLERANCE).map(|(region, _)| region)
        })
        .collect();
    let mask = |region: usize| {
        let plane = nearest.iter().map(move |&nearest| if nearest == Some(region) { 255.0 } else { 0.0 });
        let values = plane.clone().chain(plane.clone()).chain(plane).collect();
        Picture { width: labels.width, height: labels.height, values }
    };
    (0..colours.len()).map(mask).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pixel_belongs_to_the_nearest_colour_or_to_none() {
        let pixels = [[51, 102, 204], [60, 90, 200], [0, 0, 0], [255, 255, 255], [80, 102, 204]];
        let labels = Picture::from_rgb8(5, 1, &pixels.concat()).unwrap();
        let masks = masks_of_labels(&labels, &[[51, 102, 204], [100, 102, 204], [0, 0, 0]]);
        let white = |mask: &Picture| mask.to_rgb8().chunks(3).map(|pixel| pixel == [255; 3]).collect::<Vec<_>>();
        assert_eq!(white(&masks[0]), [true, true, false, false, false]);
        assert_eq!(white(&masks[1]), [false, false, false, false, true]);
        assert_eq!(white(&masks[2]), [false, false, true, false, false]);
    }
}
