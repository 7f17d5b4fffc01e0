//! Why an operator should look at a payment or a refund.

/// Its channel has not said for long what it did.
pub(crate) const UNRESOLVED: &str = "UNRESOLVED";
/// Its channel moved another amount than was asked.
pub(crate) const AMOUNT_MISMATCH: &str = "AMOUNT_MISMATCH";
/// The fee that its channel names cannot be right.
pub(crate) const FEE_IMPLAUSIBLE: &str = "FEE_IMPLAUSIBLE";
/// Its channel does not take what it promised.
pub(crate) const CAPTURE_REFUSED: &str = "CAPTURE_REFUSED";
/// Its channel does not give back what it took.
pub(crate) const REFUND_REFUSED: &str = "REFUND_REFUSED";
/// Its channel did what nobody asked for.
pub(crate) const UNASKED: &str = "UNASKED";
/// Its channel says otherwise than before.
pub(crate) const CONTRADICTION: &str = "CONTRADICTION";

/// Why an operator should look now, after something was booked; empty where nobody has to. What only took long is over
/// once it is done; anything else stays until more is wanted.
pub(crate) fn next<'a>(was: &'a str, says: &'a str, progress: bool, stuck: bool) -> &'a str {
    match was {
        _ if !says.is_empty() => says,
        "" | UNRESOLVED if progress => "",
        "" if stuck => UNRESOLVED,
        was => was,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attention_stays_unless_it_only_took_long() {
        assert_eq!(next("", "", false, true), UNRESOLVED);
        assert_eq!(next(UNRESOLVED, "", true, false), "");
        assert_eq!(next(UNRESOLVED, "", false, false), UNRESOLVED);
        assert_eq!(next(AMOUNT_MISMATCH, "", true, false), AMOUNT_MISMATCH);
        assert_eq!(next(UNRESOLVED, CAPTURE_REFUSED, false, true), CAPTURE_REFUSED);
    }
}
