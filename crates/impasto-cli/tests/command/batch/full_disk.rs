//! A disk that is full: it is said, nothing half is left, and with room the batch goes on.

use super::{demand_done, gallery, pictures, plan, plan_words};
use crate::full_disk::SmallDisk;

#[test]
fn a_full_disk_is_said_and_the_batch_goes_on_with_room() {
    let workshop = gallery(2, 1);
    let Some(disk) = SmallDisk::mount(workshop.path("disk"), "size=4m") else { return };
    plan(&workshop, &[]);
    workshop.succeed(&["batch", "run", "batch", "--quiet"]);
    // Not even the tasks have room.
    disk.fill();
    let planned = workshop.run(&plan_words("disk/batch", &[]));
    let said = String::from_utf8_lossy(&planned.stderr);
    assert_eq!(planned.status.code(), Some(1), "{said}");
    assert!(said.lines().last().unwrap().contains("No space left on device"), "{said}");
    std::fs::remove_file(workshop.path("disk/filler")).unwrap();
    workshop.succeed(&plan_words("disk/batch", &[]));
    disk.fill();
    let refused = workshop.run(&["batch", "run", "disk/batch"]);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("No space left on device"), "{said}");
    assert!(pictures(&workshop, "disk/batch").is_empty(), "no half picture");
    std::fs::remove_file(workshop.path("disk/filler")).unwrap();
    workshop.succeed(&["batch", "run", "disk/batch", "--retry-failed", "--quiet"]);
    demand_done(&workshop, "disk/batch", 2);
    assert_eq!(pictures(&workshop, "disk/batch"), pictures(&workshop, "batch"));
}
