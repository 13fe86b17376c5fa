//! Pictures that come with the program, to begin with.

use super::Shelf;
use crate::problem::Problem;
use crate::wire::Example;

/// A photo and a painting.
struct Shipped {
    name: &'static str,
    content: (&'static str, &'static [u8]),
    style: (&'static str, &'static [u8]),
}

const SHIPPED: [Shipped; 3] = [
    Shipped {
        name: "Cat and waves",
        content: ("chelsea.jpg", include_bytes!("../../pictures/chelsea.jpg")),
        style: ("waves.jpg", include_bytes!("../../pictures/waves.jpg")),
    },
    Shipped {
        name: "Coffee and marble",
        content: ("coffee.jpg", include_bytes!("../../pictures/coffee.jpg")),
        style: ("marbled.jpg", include_bytes!("../../pictures/marbled.jpg")),
    },
    Shipped {
        name: "Rocket and whirls",
        content: ("rocket.jpg", include_bytes!("../../pictures/rocket.jpg")),
        style: ("whirls.jpg", include_bytes!("../../pictures/whirls.jpg")),
    },
];

impl Shelf {
    /// Puts the shipped pictures on the shelf.
    ///
    /// # Errors
    /// The disk's.
    pub fn bring_examples(&self) -> Result<Vec<Example>, Problem> {
        let bring = |shipped: &Shipped| {
            let content = self.bring_image(shipped.content.0, shipped.content.1)?;
            let style = self.bring_image(shipped.style.0, shipped.style.1)?;
            Ok(Example { name: shipped.name.to_owned(), content, style })
        };
        SHIPPED.iter().map(bring).collect()
    }
}
