//! Turns panics of third-party generators into errors.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    static SILENCED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work`. Returns the message of a panic as an error instead of printing it.
pub(crate) fn catch_panic<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let previous = take_hook();
        set_hook(Box::new(move |info| {
            if !SILENCED.get() {
                previous(info);
            }
        }));
    });
    SILENCED.set(true);
    let result = catch_unwind(AssertUnwindSafe(work));
    SILENCED.set(false);
    result.map_err(|cause| {
        let text = cause.downcast_ref::<String>().map(String::as_str);
        text.or_else(|| cause.downcast_ref::<&str>().copied())
            .unwrap_or("panicked without a message")
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::catch_panic;

    #[test]
    fn returns_the_message_of_a_panic() {
        assert_eq!(catch_panic(|| 1), Ok(1));
        let number = 2;
        assert_eq!(catch_panic(|| -> u8 { panic!("no {number}") }), Err("no 2".to_owned()));
        assert_eq!(catch_panic(|| -> u8 { panic!("no") }), Err("no".to_owned()));
    }
}
