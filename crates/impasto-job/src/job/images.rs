//! The images of a job: read, and for a run that is kept copied and compared with what it began with.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};

use impasto::digest;
use impasto::disk::read_file;
use impasto::image_file::exif::Exif;
use impasto::picture::Picture;
use impasto::picture::alpha::Alpha;
use impasto::picture::labels::masks_of_labels;
use impasto::read::{ReadLimits, ReadPicture, decode_picture};
use impasto::recipe::Region;
use impasto::run::{ChangedGuides, GuideImages, RegionImages};
use impasto::run_folder::{INPUTS, Input, Inputs};
use impasto::{Images, Temporal};

use super::Job;
use super::changed_masks::{MaskReader, Naming};
use super::following::Following;
use super::inputs::{check_drawing, copy_name, demand_same};
use crate::engine::weights_file;
use crate::failure::Failure;
use crate::order::{MaskFiles, file_name};

/// The images of a job, and for a run that is kept what `run.json` says of them and the bytes to be copied.
pub struct ReadImages {
    /// The photo; where its transparency is kept, with its gaps filled.
    pub content: Picture,
    /// How much there is of each of its pixels, where that is kept and is not all.
    pub alpha: Option<Alpha>,
    /// What its EXIF data say.
    pub exif: Exif,
    /// Bits of its samples: 8, or 16 where they have more than 8.
    pub bits: u8,
    /// The paintings.
    pub styles: Vec<Picture>,
    /// The picture to start from.
    pub start: Option<Picture>,
    /// What it follows, where it is a frame of a film; its start is the one above.
    pub following: Option<Following>,
    /// The masks of each region.
    pub regions: Vec<RegionImages>,
    /// The map of where the drawing is kept.
    pub emphasis: Option<Picture>,
    /// The masks of the paintings; none at all where none has one.
    pub style_masks: Vec<Option<Picture>>,
    /// The masks that come with each change of the timeline.
    pub changed: Vec<ChangedGuides>,
    /// What `run.json` says of them.
    pub inputs: Option<Inputs>,
    /// Where a copy goes in the run's folder, and its bytes.
    pub copies: Vec<(PathBuf, Vec<u8>)>,
}

impl ReadImages {
    /// Every image that was read.
    pub(super) fn all(&self) -> Vec<&Picture> {
        let changed = self.changed.iter().flat_map(|change| change.regions.iter().flatten());
        let regions = self.regions.iter().chain(changed);
        let masks = regions.flat_map(|region| [Some(&region.mask), region.painting_mask.as_ref()]).flatten();
        let emphases = self.changed.iter().filter_map(|change| change.emphasis.as_ref()).chain(&self.emphasis);
        self.styles
            .iter()
            .chain([&self.content])
            .chain(&self.start)
            .chain(self.following.as_ref().map(|following| &following.held_to))
            .chain(masks)
            .chain(emphases)
            .chain(self.style_masks.iter().flatten())
            .collect()
    }

    /// As a run looks at them.
    pub(super) fn shown(&self) -> Images<'_> {
        let (regions, emphasis, alpha) = (&self.regions, self.emphasis.as_ref(), self.alpha.as_ref());
        let (styles, changed) = (&self.style_masks, &self.changed);
        let temporal = self.following.as_ref().map(|Following { held_to: picture, weights, weight, .. }| Temporal {
            picture,
            weights,
            weight: *weight,
        });
        let guides = GuideImages { regions, emphasis, alpha, styles, changed, temporal };
        Images { content: &self.content, styles: &self.styles, start: self.start.as_ref(), guides }
    }
}

impl fmt::Debug for ReadImages {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (width, height) = (self.content.width, self.content.height);
        formatter.debug_struct("ReadImages").field("content", &(width, height)).finish_non_exhaustive()
    }
}

impl Job {
    /// Reads and decodes the images now, so that [`Job::prepare`] need not: on another thread, while the job before is painted.
    ///
    /// # Errors
    /// An image that cannot be read.
    pub fn read_ahead(&mut self) -> Result<(), Failure> {
        self.read_ahead = Some(self.read_all()?);
        Ok(())
    }

    /// The images, and what is to be said of them.
    pub(super) fn read_all(&mut self) -> Result<(ReadImages, Vec<String>), Failure> {
        let mut notes = Vec::new();
        self.read_images(&mut notes).map(|images| (images, notes))
    }

    /// Reads the images; those of a run have to be what they were.
    ///
    /// # Errors
    /// An image that cannot be read or has changed.
    fn read_images(&mut self, notes: &mut Vec<String>) -> Result<ReadImages, Failure> {
        let (changed, changed_masks, mask_copies) = self.read_timeline(notes)?;
        let mut reader = Reader { job: self, notes, copies: mask_copies };
        let expected = self.keeping.as_ref().and_then(|keeping| keeping.begun.as_ref()).map(|begun| &begun.inputs);
        let order = &self.order;
        let (photo, content_input) = reader.read_photo(&order.content, expected.map(|it| &it.content))?;
        let ReadPicture { picture: content, alpha, exif, bits, .. } = photo;
        let (mut styles, mut style_inputs) = (Vec::new(), Vec::new());
        for (place, path) in order.styles.iter().enumerate() {
            let expected = expected.and_then(|it| it.styles.get(place));
            let (style, input) = reader.read(path, &format!("style-{}", place + 1), expected)?;
            styles.push(style);
            style_inputs.extend(input);
        }
        let start = order.start.as_deref();
        let expected_start = expected.and_then(|it| it.start.as_ref());
        let start = start.map(|path| reader.read(path, "start", expected_start)).transpose()?;
        let (start, start_input) = start.map_or((None, None), |(start, input)| (Some(start), input));
        let ReadMasks { regions, emphasis, styles: style_masks, inputs: masks } =
            reader.read_masks(&order.masks, expected)?;
        let copies = std::mem::take(&mut reader.copies);
        let following = self.following.take();
        let start = following.as_ref().map(|following| following.start.clone()).or(start);
        let inputs = match content_input {
            Some(content) => {
                let weights = self.weights_input(expected.and_then(|it| it.weights.as_ref()))?;
                Some(Inputs { content, styles: style_inputs, start: start_input, masks, changed_masks, weights })
            }
            None => None,
        };
        Ok(ReadImages {
            content,
            alpha,
            exif,
            bits,
            styles,
            start,
            following,
            regions,
            emphasis,
            style_masks,
            changed,
            inputs,
            copies,
        })
    }

    /// The masks of the timeline, named as they are kept; and what `run.json` says of them, and the copies.
    fn read_timeline(&mut self, notes: &mut Vec<String>) -> Result<TimelineMasks, Failure> {
        let naming = match self.keeping.as_ref().map(|keeping| keeping.begun.as_ref()) {
            None => Naming::AsGiven,
            Some(None) => Naming::Digests,
            Some(Some(begun)) => Naming::Kept(&begun.inputs.changed_masks),
        };
        let order = &mut self.order;
        let mut reader = MaskReader::new(&order.held, self.limits, naming);
        let (mut changed, mut recipe) = (Vec::new(), order.recipe.at_evaluation(0));
        for (entry, files) in order.recipe.timeline.iter_mut().zip(&order.timeline_masks) {
            recipe = recipe.changed(&entry.set)?.0;
            changed.push(reader.read(&mut entry.set, &recipe, files)?);
        }
        notes.append(&mut reader.notes);
        Ok((changed, reader.inputs, reader.copies))
    }

    /// What `run.json` says of the weights' file, where there is one.
    fn weights_input(&self, expected: Option<&Input>) -> Result<Option<Input>, Failure> {
        let Some(path) = weights_file(&self.order.weights) else { return Ok(None) };
        let sha256 = digest::sha256_of_file(&path).map_err(Failure::failed)?;
        if let Some(expected) = expected {
            demand_same(&path, &sha256, expected)?;
            return Ok(Some(expected.clone()));
        }
        let file = std::path::absolute(&path).unwrap_or_else(|_| path.clone());
        Ok(Some(Input { name: file_name(&path), file, sha256 }))
    }
}

/// Of a timeline: the masks that come with each change, what `run.json` says of them, where copies go, and their bytes.
type TimelineMasks = (Vec<ChangedGuides>, Vec<Input>, Vec<(PathBuf, Vec<u8>)>);

/// The masks of a job, and what `run.json` says of them.
struct ReadMasks {
    regions: Vec<RegionImages>,
    emphasis: Option<Picture>,
    styles: Vec<Option<Picture>>,
    inputs: Vec<Input>,
}

/// Reads images one by one.
struct Reader<'job> {
    job: &'job Job,
    notes: &'job mut Vec<String>,
    copies: Vec<(PathBuf, Vec<u8>)>,
}

impl Reader<'_> {
    /// The photo with its gaps filled, and what `run.json` says of it.
    fn read_photo(&mut self, path: &Path, expected: Option<&Input>) -> Result<(ReadPicture, Option<Input>), Failure> {
        let keeps_transparency = self.job.order.recipe.keeps_transparency();
        let limits = ReadLimits { keeps_transparency, ..self.job.limits };
        let (mut photo, input) = self.read_within(path, "content", expected, &limits)?;
        if let Some(alpha) = &photo.alpha {
            photo.picture = photo.picture.with_filled_gaps(alpha).map_err(Failure::failed)?;
            let spoken = self.job.order.held.spoken(path).display();
            self.notes.push(match self.job.writing.has_transparency() {
                true => format!("{spoken}: its transparent parts stay so; --transparency white puts them on white"),
                false => {
                    format!("{spoken}: its transparent parts become white, for a JPEG has none; a .png keeps them")
                }
            });
        }
        Ok((photo, input))
    }

    /// The picture, and where the run is kept what `run.json` says of it. `role` names the copy.
    fn read(&mut self, path: &Path, role: &str, expected: Option<&Input>) -> Result<(Picture, Option<Input>), Failure> {
        let limits = self.job.limits;
        self.read_within(path, role, expected, &limits).map(|(read, input)| (read.picture, input))
    }

    fn read_within(
        &mut self,
        path: &Path,
        role: &str,
        expected: Option<&Input>,
        limits: &ReadLimits,
    ) -> Result<(ReadPicture, Option<Input>), Failure> {
        let held = &self.job.order.held;
        let bytes = match held.bytes(path) {
            Some(bytes) => Cow::Borrowed(bytes),
            None => Cow::Owned(read_file(path, self.job.limits.file_mib).map_err(Failure::failed)?),
        };
        let input = match (&self.job.keeping, expected) {
            (None, _) => None,
            (Some(_), Some(expected)) => {
                demand_same(path, &digest::sha256(&bytes), expected)?;
                Some(expected.clone())
            }
            (Some(_), None) => {
                let file = Path::new(INPUTS).join(copy_name(role, path));
                Some(Input { name: held.name(path), file, sha256: digest::sha256(&bytes) })
            }
        };
        let spoken = held.spoken(path);
        let mut read = decode_picture(&bytes, spoken, limits).map_err(Failure::failed)?;
        self.notes.append(&mut read.notes);
        check_drawing(spoken, &read.picture)?;
        if let (Some(input), None) = (&input, expected) {
            self.copies.push((input.file.clone(), bytes.into_owned()));
        }
        Ok((read, input))
    }
}

impl Reader<'_> {
    /// The masks of all regions, the emphasis, the masks of paintings, and what `run.json` says of them.
    fn read_masks(&mut self, files: &MaskFiles, expected: Option<&Inputs>) -> Result<ReadMasks, Failure> {
        let mut inputs = Vec::new();
        let mut read = |path: &Option<PathBuf>, role: &str| match path {
            None => Ok(None),
            Some(path) => {
                let expected = expected.and_then(|expected| expected.masks.get(inputs.len()));
                let (picture, input) = self.read(path, role, expected)?;
                inputs.extend(input);
                Ok::<_, Failure>(Some(picture))
            }
        };
        let mut masks = Vec::new();
        for (place, [mask, painting_mask]) in files.regions.iter().enumerate() {
            let mask = read(mask, &format!("region-{}", place + 1))?;
            masks.push((mask, read(painting_mask, &format!("painting-mask-{}", place + 1))?));
        }
        let labels = read(&files.labels, "regions")?;
        let emphasis = read(&files.emphasis, "emphasis")?;
        let mut styles = Vec::new();
        for (place, mask) in files.styles.iter().enumerate() {
            styles.push(read(mask, &format!("style-mask-{}", place + 1))?);
        }
        let regions = self.job.order.recipe.regions.iter();
        let colours = regions.map(Region::label_colour).collect::<Result<Vec<_>, _>>()?;
        let named: Vec<[u8; 3]> = colours.into_iter().flatten().collect();
        // One for each region without a mask of its own, in their order.
        let mut of_labels = labels.map_or_else(Vec::new, |labels| masks_of_labels(&labels, &named)).into_iter();
        let regions = masks
            .into_iter()
            .filter_map(|(mask, painting_mask)| {
                Some(RegionImages { mask: mask.or_else(|| of_labels.next())?, painting_mask })
            })
            .collect();
        Ok(ReadMasks { regions, emphasis, styles, inputs })
    }
}
