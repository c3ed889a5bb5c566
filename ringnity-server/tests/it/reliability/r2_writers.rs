//! R2: whoever writes at the same time as others does not hear of them.

use std::time::Instant;

use super::load::Load;
use super::{TIGHT, assert_counted};
use crate::support::node::on_each_place;

#[test]
fn r2_sixty_four_clients_who_write_at_once_see_no_busy_and_no_serialization_error() {
    on_each_place(async |place| {
        let begun = Instant::now();
        let (node, demo) = place.node().rate_limit(TIGHT).seed();
        let load = Load::start(&demo, vec![node.base.clone()], 64);
        load.more(1000).await;
        let verdict = load.finish(|| place.database.dump()).await;
        verdict.tell(&format!("{}: 64 writers", place.database.engine()), begun);
        verdict.undisturbed();
        assert_counted(&place, &demo);
    });
}
