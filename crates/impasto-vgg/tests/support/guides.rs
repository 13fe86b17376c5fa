//! What every engine with guides has to do: regions and emphasis.

use impasto_vgg::guides::{GuideKind, REGION_LIMIT, guide_sum};
use impasto_vgg::{
    Engine, EngineDescription, EngineError, Guides, Moments, Observation, Session, SessionRequest, TapGuides,
};

use super::conformance::{KINDS, check_pictures, evaluate, guided_pictures, named, none_for, pictures, request};
use super::random::{Random, all_layers};
use super::relative_max;
use super::subjects::{Subject, cases};

/// What a guided session is given.
#[derive(Clone, Default)]
pub struct Maps {
    /// `[regions, height, width]`; empty without regions.
    pub masks: Vec<f32>,
    /// `[height, width]`; empty without emphasis.
    pub emphasis: Vec<f32>,
}

/// Kinds of masks.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Any value anywhere.
    Noise,
    /// Each position belongs to one region, in upright stripes.
    Stripes,
    /// The same, in lying stripes.
    Rows,
    /// Bands with soft edges, which share each position out.
    Soft,
    /// Bands of 1 that lie over each other, and leave much out.
    Overlapping,
    /// A single position each.
    Points,
}

pub const ALL_KINDS: [Kind; 6] = [Kind::Noise, Kind::Stripes, Kind::Rows, Kind::Soft, Kind::Overlapping, Kind::Points];

impl Maps {
    /// What `request` asks for, the masks of one kind.
    pub fn new(request: &SessionRequest, kind: Kind, seed: u64) -> Maps {
        let mut random = Random(seed);
        let SessionRequest { height, width, guides, .. } = *request;
        let mut masks: Vec<f32> = Vec::new();
        for region in 0..guides.regions {
            let point = random.next() as usize % (height * width);
            for place in 0..height * width {
                let place = (place / width, place % width);
                masks.push(kind.at(place, (height, width), (region, guides.regions), &mut random));
            }
            // A region of a small picture may have got nothing.
            let mask = &mut masks[region * height * width..];
            if matches!(kind, Kind::Points) || mask.iter().all(|&value| value == 0.0) {
                mask[point] = 1.0;
            }
        }
        let emphasis = (0..if guides.emphasis { height * width } else { 0 }).map(|place| match place % 5 {
            0 => 0.0,
            1 => 1.0,
            _ => random.unit(),
        });
        Maps { masks, emphasis: emphasis.collect() }
    }

    /// The first region soft, the second hard, the others noise; nothing where a request has no guides.
    pub fn mixed(request: &SessionRequest, seed: u64) -> Maps {
        let mut maps = Maps::new(request, Kind::Noise, seed);
        let positions = request.height * request.width;
        for (region, kind) in [Kind::Soft, Kind::Stripes].into_iter().enumerate().take(request.guides.regions) {
            let other = Maps::new(request, kind, seed).masks;
            let of_region = region * positions..(region + 1) * positions;
            maps.masks[of_region.clone()].copy_from_slice(&other[of_region]);
        }
        maps
    }

    /// 1 everywhere.
    pub fn ones(request: &SessionRequest) -> Maps {
        let positions = request.height * request.width;
        let Guides { regions, emphasis } = request.guides;
        Maps { masks: vec![1.0; regions * positions], emphasis: vec![1.0; usize::from(emphasis) * positions] }
    }

    pub fn give_to(&self, session: &mut dyn Session) {
        if !self.masks.is_empty() {
            session.set_masks(&self.masks).unwrap();
        }
        if !self.emphasis.is_empty() {
            session.set_emphasis(&self.emphasis).unwrap();
        }
    }
}

impl Kind {
    fn at(
        self,
        (y, x): (usize, usize),
        (height, width): (usize, usize),
        (region, regions): (usize, usize),
        random: &mut Random,
    ) -> f32 {
        let from = |is_in: bool| f32::from(u8::from(is_in));
        match self {
            Kind::Noise => random.unit(),
            Kind::Stripes => from(x * regions / width == region),
            Kind::Rows => from(y * regions / height == region),
            Kind::Soft => {
                let (place, middle) = ((x as f32 + 0.5) / width as f32 * regions as f32, region as f32 + 0.5);
                (1.0 - (place - middle).abs()).clamp(0.0, 1.0)
            }
            Kind::Overlapping => {
                let (start, end) = (region * width / (regions + 2), (region + 2) * width / (regions + 2) + 1);
                from((start..end).contains(&x) && y * 3 < height * 2)
            }
            Kind::Points => 0.0,
        }
    }
}

fn guided(size: (usize, usize), kind: usize, guides: Guides) -> SessionRequest {
    let style = ["conv1_1", "pool1", "conv2_2", "conv3_1", "conv4_1", "conv5_1"].map(named);
    let content = ["conv1_2", "conv2_2", "conv4_2"].map(named);
    SessionRequest { guides, ..request(size, KINDS[kind % KINDS.len()], &style, &content) }
}

fn without_guides(request: &SessionRequest) -> SessionRequest {
    SessionRequest { guides: Guides::default(), ..request.clone() }
}

/// Masks of every kind, one to four regions, all odd sizes.
pub fn masks_of_every_kind(subjects: &[Subject]) {
    let sizes = [(1, 1), (5, 4), (7, 9), (9, 1), (18, 21), (33, 19)];
    let kinds = ALL_KINDS.into_iter().enumerate();
    let all = kinds.flat_map(|kind| sizes.into_iter().enumerate().map(move |size| (kind, size)));
    for ((index, kind), (place, size)) in cases(subjects, 5, all) {
        let guides = Guides { regions: 1 + (index + place) % 4, emphasis: (index + place) % 2 == 0 };
        let request = guided(size, index + place, guides);
        let maps = Maps::new(&request, kind, 40 + index as u64);
        println!("{kind:?} {size:?} {guides:?}");
        check_pictures(subjects, &request, &guided_pictures(&request, maps, (500 + 10 * index + place) as u64));
    }
}

/// Every layer of the network guided; wide enough for several chunks of a row, too.
pub fn every_layer_is_guided(subjects: &[Subject]) {
    for (index, size) in [(7, 9), (6, 141)].into_iter().enumerate() {
        let guides = Guides { regions: 2, emphasis: true };
        let request = SessionRequest { guides, ..request(size, KINDS[index], &all_layers(), &all_layers()) };
        let maps = Maps::mixed(&request, 3);
        check_pictures(subjects, &request, &guided_pictures(&request, maps, 600 + index as u64));
    }
}

/// One mask that is 1 everywhere, and an emphasis that is: the bytes of a session without.
pub fn ones_change_no_byte(subjects: &[Subject], sizes: &[(usize, usize)]) {
    for (index, &size) in sizes.iter().enumerate() {
        let with = guided(size, index, Guides { regions: 1, emphasis: true });
        let without = without_guides(&with);
        let plain = pictures(&without, 700 + index as u64);
        for subject in subjects {
            let engine = subject.engine(2);
            let expected = evaluate(&*engine, &without, &plain);
            let mut session = engine.session(&with).unwrap();
            session.set_content(&plain.content).unwrap();
            Maps::ones(&with).give_to(&mut *session);
            let seen = session.forward(&plain.image).unwrap();
            let mut pixels = vec![f32::NAN; with.picture_len()];
            session.backward(&plain.gradients, &mut pixels).unwrap();
            assert!((seen, pixels) == expected, "{} {size:?}", subject.name);
        }
    }
}

/// Regions that share each position out add up to the whole: the sum of their moments by their shares of the area.
pub fn shared_out_regions_add_up(subjects: &[Subject]) {
    for (index, kind) in cases(subjects, 2, [Kind::Stripes, Kind::Rows, Kind::Soft].into_iter().enumerate()) {
        let with = guided((23, 40), index, Guides { regions: 2, emphasis: false });
        let mut maps = Maps::new(&with, kind, 1);
        let (first, second) = maps.masks.split_at_mut(23 * 40);
        second.iter_mut().zip(first).for_each(|(second, first)| *second = 1.0 - *first);
        let without = without_guides(&with);
        let pictures = pictures(&without, 800 + index as u64);
        let guides = with.pool_masks(&maps.masks).unwrap();
        for subject in subjects {
            let engine = subject.engine(2);
            let (whole, _) = evaluate(&*engine, &without, &pictures);
            let mut session = engine.session(&with).unwrap();
            session.set_content(&pictures.content).unwrap();
            maps.give_to(&mut *session);
            let parts = session.forward(&pictures.image).unwrap();
            for (tap, whole) in whole.moments.iter().enumerate() {
                let positions = guides[tap].values.len() / 2;
                let shares: Vec<f64> =
                    guides[tap].values.chunks(positions).map(|guide| guide_sum(guide) / positions as f64).collect();
                let sum = |values: fn(&Moments) -> &[f64]| -> Vec<f64> {
                    let [a, b] = [0, 1].map(|region| values(&parts.moments[2 * tap + region]));
                    a.iter().zip(b).map(|(a, b)| a * shares[0] + b * shares[1]).collect()
                };
                let error = relative_max(&sum(|moments| &moments.mean), &whole.mean)
                    .max(relative_max(&sum(|moments| &moments.second), &whole.second));
                assert!(error < 4e-6, "{} {kind:?} {}: {error:e}", subject.name, whole.layer);
            }
        }
    }
}

/// What lies further from a region than its layers can see changes no bit of its moments, and takes no gradient of them.
pub fn nothing_is_seen_from_outside(subjects: &[Subject]) {
    let plain = request((12, 40), KINDS[1], &[named("conv2_1")], &[]);
    let request = SessionRequest { guides: Guides { regions: 2, emphasis: false }, ..plain };
    let maps = Maps::new(&request, Kind::Stripes, 1);
    let image = Random(9).picture(12, 40);
    let mut other = image.clone();
    // Twelve columns from the edge between the regions.
    other.chunks_exact_mut(40).for_each(|row| row[32..].iter_mut().for_each(|value| *value = 255.0 - *value));
    for subject in subjects {
        let mut session = subject.engine(2).session(&request).unwrap();
        session.set_content(&image).unwrap();
        maps.give_to(&mut *session);
        let [changed, seen] = [&other, &image].map(|image| session.forward(image).unwrap());
        assert!(seen.moments[0] == changed.moments[0], "{}", subject.name);
        assert!(seen.moments[1] != changed.moments[1], "{}", subject.name);
        let mut gradients = Random(5).gradients(&seen);
        gradients.moments[1] = none_for(&request).moments[1].clone();
        let mut pixels = vec![f32::NAN; request.picture_len()];
        session.backward(&gradients, &mut pixels).unwrap();
        let mut rows = pixels.chunks_exact(40);
        assert!(rows.all(|row| row[32..].iter().all(|&value| value == 0.0)), "{}", subject.name);
        assert!(pixels.iter().any(|&value| value != 0.0));
    }
}

/// Masks may change between evaluations, and threads change nothing.
pub fn same_bytes_for_any_threads_and_any_masks_before(subjects: &[Subject]) {
    let request = guided((37, 45), 1, Guides { regions: 3, emphasis: true });
    let mut random = Random(5);
    let [content, image] = [(); 2].map(|()| random.picture(request.height, request.width));
    for subject in subjects {
        let run = |threads: usize, before: bool| {
            let mut session = subject.engine(threads).session(&request).unwrap();
            let mut pixels = vec![f32::NAN; request.picture_len()];
            session.set_content(&content).unwrap();
            let mut evaluate = |maps: &Maps| {
                maps.give_to(&mut *session);
                let seen = session.forward(&image).unwrap();
                session.backward(&Random(8).gradients(&seen), &mut pixels).unwrap();
                seen
            };
            if before {
                evaluate(&Maps::new(&request, Kind::Overlapping, 2));
            }
            let seen: Observation = evaluate(&Maps::mixed(&request, 4));
            (seen, pixels)
        };
        let first = run(1, false);
        for (threads, before) in cases(subjects, 3, [(1, true), (2, false), (3, true), (5, false)]) {
            assert!(run(threads, before) == first, "{} {threads} threads, {before}", subject.name);
        }
    }
}

/// Guides that do not come of pooled masks: the same where they are the same.
pub fn guides_may_be_given_tap_by_tap(subjects: &[Subject]) {
    let request = guided((18, 21), 0, Guides { regions: 2, emphasis: false });
    let maps = Maps::mixed(&request, 4);
    let (content, image) = (Random(1).picture(18, 21), Random(2).picture(18, 21));
    let mut guides = request.pool_masks(&maps.masks).unwrap();
    for subject in subjects {
        let mut session = subject.engine(2).session(&request).unwrap();
        session.set_content(&content).unwrap();
        session.set_masks(&maps.masks).unwrap();
        let by_masks = session.forward(&image).unwrap();
        session.set_guides(guides.clone()).unwrap();
        assert!(session.forward(&image).unwrap() == by_masks, "{}", subject.name);
        // Another guide at one tap changes that tap's moments of that region.
        let positions = guides[2].values.len() / 2;
        let before = std::mem::replace(&mut guides[2].values[positions], 0.125);
        session.set_guides(guides.clone()).unwrap();
        let seen = session.forward(&image).unwrap();
        guides[2].values[positions] = before;
        for (place, (ours, before)) in seen.moments.iter().zip(&by_masks.moments).enumerate() {
            assert_eq!(ours == before, place != 2 * 2 + 1, "{} {place}", subject.name);
        }
    }
}

/// Two regions of a small picture, an emphasis, and masks and a picture for it.
fn small() -> (SessionRequest, Maps, Vec<f32>) {
    let guides = Guides { regions: 2, emphasis: true };
    let style = [named("conv1_1"), named("conv2_1")];
    let request = SessionRequest { guides, ..request((6, 5), KINDS[0], &style, &[named("conv1_2")]) };
    let maps = Maps::new(&request, Kind::Stripes, 1);
    (request, maps, Random(1).picture(6, 5))
}

pub fn calls_out_of_order_are_errors_in_words(subjects: &[Subject]) {
    let (request, maps, picture) = small();
    let mut pixels = vec![0.0; request.picture_len()];
    for subject in subjects {
        let engine = subject.engine(1);
        let mut session = engine.session(&request).unwrap();
        session.set_content(&picture).unwrap();
        assert_eq!(session.forward(&picture).unwrap_err(), EngineError::NO_MASKS);
        session.set_masks(&maps.masks).unwrap();
        assert_eq!(session.forward(&picture).unwrap_err(), EngineError::NO_EMPHASIS);
        session.set_emphasis(&maps.emphasis).unwrap();
        session.forward(&picture).unwrap();
        session.backward(&none_for(&request), &mut pixels).unwrap();
        for changes_masks in [true, false] {
            session.forward(&picture).unwrap();
            match changes_masks {
                true => session.set_masks(&maps.masks).unwrap(),
                false => session.set_emphasis(&maps.emphasis).unwrap(),
            }
            assert_eq!(session.backward(&none_for(&request), &mut pixels).unwrap_err(), EngineError::NO_FORWARD);
        }
        // A gradient for each tap alone is too few.
        session.forward(&picture).unwrap();
        let few = none_for(&without_guides(&request));
        assert!(matches!(session.backward(&few, &mut pixels).unwrap_err(), EngineError::Request(_)));
        // Without regions nothing is taken.
        let mut plain = engine.session(&without_guides(&request)).unwrap();
        assert_eq!(plain.set_masks(&maps.masks).unwrap_err(), EngineError::NO_REGIONS);
        assert_eq!(plain.set_guides(Vec::new()).unwrap_err(), EngineError::NO_REGIONS);
        assert_eq!(plain.set_emphasis(&maps.emphasis).unwrap_err(), EngineError::NO_EMPHASIS_ASKED);
    }
}

pub fn what_does_not_fit_is_an_error_in_words(subjects: &[Subject]) {
    let (request, maps, _) = small();
    for subject in subjects {
        let engine = subject.engine(1);
        let guides = Guides { regions: REGION_LIMIT + 1, emphasis: false };
        let too_many = SessionRequest { guides, ..request.clone() };
        assert!(matches!(engine.session(&too_many).err(), Some(EngineError::Request(_))));
        let bytes = |request: &SessionRequest| engine.session_bytes(request).unwrap();
        assert!(bytes(&request) > bytes(&without_guides(&request)));

        let mut session = engine.session(&request).unwrap();
        let error = session.set_masks(&maps.masks[1..]).unwrap_err();
        assert_eq!(error, EngineError::MaskLength { what: GuideKind::Masks, wanted: 60, given: 59 });
        let error = session.set_emphasis(&maps.emphasis[1..]).unwrap_err();
        assert_eq!(error, EngineError::MaskLength { what: GuideKind::Emphasis, wanted: 30, given: 29 });
        for value in [-0.1, 1.5, f32::NAN, f32::INFINITY] {
            let mut masks = maps.masks.clone();
            masks[40] = value;
            let error = session.set_masks(&masks).unwrap_err();
            assert!(matches!(error, EngineError::MaskValue { region: Some(1), .. }), "{error}");
            assert!(error.to_string().starts_with("the mask of region 2 holds "), "{error}");
            let error = session.set_emphasis(&masks[30..]).unwrap_err();
            assert!(matches!(error, EngineError::MaskValue { region: None, .. }), "{error}");
        }
    }
}

/// A region that a tap does not see: who sees it is told.
pub fn an_empty_region_is_an_error_that_says_who_sees_it(subjects: &[Subject]) {
    let (request, maps, _) = small();
    let style = request.style_taps.clone();
    for subject in subjects {
        let mut session = subject.engine(1).session(&request).unwrap();
        let mut empty = maps.masks.clone();
        empty[30..].fill(0.0);
        let error = session.set_masks(&empty).unwrap_err();
        assert_eq!(error, EngineError::EmptyRegion { region: 1, unseen_by: style.clone(), seen_by: vec![] });
        // So little that its inverse is beyond f32.
        empty[30..].fill(1e-40);
        assert!(matches!(session.set_masks(&empty).unwrap_err(), EngineError::EmptyRegion { region: 1, .. }));
        let mut guides = request.pool_masks(&maps.masks).unwrap();
        guides[1].values[9..].fill(0.0);
        let error = session.set_guides(guides.clone()).unwrap_err();
        let (unseen_by, seen_by) = (vec![style[1]], vec![style[0]]);
        assert_eq!(error, EngineError::EmptyRegion { region: 1, unseen_by, seen_by });
        assert_eq!(
            error.to_string(),
            "region 2 is empty at conv2_1, and seen at conv1_1; make its mask larger, or take only layers that see it"
        );
        let swapped: Vec<TapGuides> = guides.iter().rev().cloned().collect();
        assert!(matches!(session.set_guides(swapped).unwrap_err(), EngineError::Request(_)));
        guides[1].values.pop();
        let what = GuideKind::GuidesAt(style[1]);
        assert_eq!(session.set_guides(guides).unwrap_err(), EngineError::MaskLength { what, wanted: 18, given: 17 });
    }
}

/// An engine that does all but guide.
pub struct Guideless(pub Box<dyn Engine>);

impl Engine for Guideless {
    fn describe(&self) -> EngineDescription {
        EngineDescription { name: "guideless".into(), ..self.0.describe() }
    }

    fn session(&self, request: &SessionRequest) -> Result<Box<dyn Session>, EngineError> {
        self.session_bytes(request)?;
        self.0.session(request)
    }

    fn session_bytes(&self, request: &SessionRequest) -> Result<u64, EngineError> {
        match request.guides == Guides::default() {
            true => self.0.session_bytes(request),
            false => Err(EngineError::NoGuides { engine: "guideless".into() }),
        }
    }
}
