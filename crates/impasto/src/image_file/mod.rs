//! Files of images: untrusted bytes to pictures ([`read`]), and pictures to files ([`write`](mod@write)).

pub mod exif;
pub mod read;
pub mod rescue;
pub mod write;
