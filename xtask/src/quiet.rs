//! Calls of other generators that may panic where they could have answered an error. Nothing else here.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work`; a panic of it is an error with its message, and not printed.
pub(crate) fn catching<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = take_hook();
        set_hook(Box::new(move |info| {
            if !QUIET.get() {
                usual(info);
            }
        }));
    });
    QUIET.set(true);
    let result = catch_unwind(AssertUnwindSafe(work));
    QUIET.set(false);
    result.map_err(|cause| {
        let text = cause.downcast_ref::<String>().map(String::as_str);
        text.or_else(|| cause.downcast_ref::<&str>().copied()).unwrap_or("it gave up").to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::catching;

    #[test]
    fn a_panic_is_an_error_with_its_words() {
        assert_eq!(catching(|| 1), Ok(1));
        let number = 2;
        assert_eq!(catching(|| -> u8 { panic!("no {number}") }), Err("no 2".to_owned()));
        assert_eq!(catching(|| -> u8 { panic!("no") }), Err("no".to_owned()));
    }
}
