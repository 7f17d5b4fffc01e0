//! Messages from and to the domain.

use chassis::money::Money;
use chassis::{status, wire};
use contract::promotion::v1 as pb;
use tonic::Status;

use crate::domain::{Code, Coupon, Draft, Redemption, RedemptionState, Reduction, State};
use crate::service::Use;

/// What of a coupon can change.
const CHANGEABLE: &[&str] = &[
    "title",
    "percent_off_basis_points",
    "amount_off",
    "minimum_subtotal",
    "start_time",
    "expire_time",
    "redemption_limit",
    "redemption_limit_per_customer",
    "discount_budget",
    "state",
];

pub(super) fn code(field: &str, text: &str) -> Result<Code, Status> {
    Code::parse(text).ok_or_else(|| status::invalid(field, "must be 1 to 64 letters, digits, `-` or `_`"))
}

/// The totals of lines, and what they come to: in one currency, none below zero.
pub(super) fn priced(lines: &[pb::PricedLine]) -> Result<(Vec<Money>, Money), Status> {
    let mut totals: Vec<Money> = Vec::with_capacity(lines.len());
    for (place, line) in lines.iter().enumerate() {
        totals.push(not_negative(&format!("lines[{place}].total"), line.total.as_ref())?);
    }
    let first = totals.first().ok_or_else(|| status::invalid("lines", "must not be empty"))?;
    let subtotal = totals.iter().try_fold(Money::zero(first.currency), |sum, total| sum.plus(*total));
    let subtotal = subtotal.map_err(|error| status::invalid("lines", error.to_string()))?;
    Ok((totals, subtotal))
}

fn not_negative(field: &str, money: Option<&contract::Money>) -> Result<Money, Status> {
    let money = wire::money(field, money)?;
    if money.minor < 0 { Err(status::invalid(field, "must not be below zero")) } else { Ok(money) }
}

pub(super) fn coupon_use(request: &pb::RedeemCouponRequest) -> Result<Use, Status> {
    let customer = wire::foreign_name("customer", "users/{id}", &request.customer)
        .or_else(|_| wire::foreign_name("customer", "guests/{id}", &request.customer))?;
    let subtotal = not_negative("subtotal", request.subtotal.as_ref())?;
    let discount = not_negative("discount", request.discount.as_ref())?;
    if discount.currency != subtotal.currency || discount.minor > subtotal.minor {
        return Err(status::invalid("discount", "must be a part of the subtotal"));
    }
    Ok(Use {
        code: code("coupon_code", &request.coupon_code)?,
        spelled: request.coupon_code.clone(),
        order: wire::foreign_name("order", "orders/{id}", &request.order)?,
        customer,
        discount,
        subtotal,
    })
}

/// The terms of a new coupon.
pub(super) fn draft(coupon: &pb::Coupon) -> Result<Draft, Status> {
    let amount = optional_money("coupon.amount_off", coupon.amount_off.as_ref())?;
    let reduction = match (coupon.percent_off_basis_points, amount) {
        (points, None) => Reduction::Percent(points.into()),
        (0, Some(amount)) => Reduction::Amount(amount),
        (_, Some(_)) => {
            return Err(status::invalid("coupon.amount_off", "cannot go with percent_off_basis_points"));
        }
    };
    Ok(Draft {
        title: coupon.title.clone(),
        reduction,
        minimum: optional_money("coupon.minimum_subtotal", coupon.minimum_subtotal.as_ref())?,
        start_time: wire::optional_timestamp("coupon.start_time", coupon.start_time.as_ref())?,
        expire_time: wire::optional_timestamp("coupon.expire_time", coupon.expire_time.as_ref())?,
        limit: coupon.redemption_limit,
        limit_per_customer: coupon.redemption_limit_per_customer,
        budget: optional_money("coupon.discount_budget", coupon.discount_budget.as_ref())?,
        state: match coupon.state() {
            pb::coupon::State::Unspecified | pb::coupon::State::Active => State::Active,
            pb::coupon::State::Disabled => State::Disabled,
        },
    })
}

fn optional_money(field: &str, money: Option<&contract::Money>) -> Result<Option<Money>, Status> {
    money.map(|money| wire::money(field, Some(money))).transpose()
}

/// What an update changes, and to what.
pub(super) struct Changes {
    paths: Vec<&'static str>,
    to: Draft,
}

impl Changes {
    pub(super) fn read(
        coupon: &pb::Coupon,
        mask: Option<&prost_types::FieldMask>,
    ) -> Result<Changes, Status> {
        let named = mask.is_some_and(|mask| !mask.paths.is_empty());
        let all = wire::mask(mask, CHANGEABLE)?;
        let paths: Vec<_> = all.into_iter().filter(|path| named || is_set(coupon, path)).collect();
        // One kind of reduction named is a change of kind: what the other field holds is not meant.
        let meant = |path| !named || paths.contains(&path);
        let coupon = pb::Coupon {
            percent_off_basis_points: if meant("percent_off_basis_points") {
                coupon.percent_off_basis_points
            } else {
                0
            },
            amount_off: coupon.amount_off.clone().filter(|_| meant("amount_off")),
            ..coupon.clone()
        };
        Ok(Changes { to: draft(&coupon)?, paths })
    }

    /// The terms after the change.
    pub(super) fn apply(self, terms: &Draft) -> Draft {
        let Changes { paths, to } = self;
        let mut terms = terms.clone();
        for path in paths {
            match path {
                "title" => terms.title.clone_from(&to.title),
                "percent_off_basis_points" | "amount_off" => terms.reduction = to.reduction,
                "minimum_subtotal" => terms.minimum = to.minimum,
                "start_time" => terms.start_time = to.start_time,
                "expire_time" => terms.expire_time = to.expire_time,
                "redemption_limit" => terms.limit = to.limit,
                "redemption_limit_per_customer" => terms.limit_per_customer = to.limit_per_customer,
                "discount_budget" => terms.budget = to.budget,
                _ => terms.state = to.state,
            }
        }
        terms
    }
}

fn is_set(coupon: &pb::Coupon, path: &str) -> bool {
    match path {
        "title" => !coupon.title.is_empty(),
        "percent_off_basis_points" => coupon.percent_off_basis_points != 0,
        "amount_off" => coupon.amount_off.is_some(),
        "minimum_subtotal" => coupon.minimum_subtotal.is_some(),
        "start_time" => coupon.start_time.is_some(),
        "expire_time" => coupon.expire_time.is_some(),
        "redemption_limit" => coupon.redemption_limit != 0,
        "redemption_limit_per_customer" => coupon.redemption_limit_per_customer != 0,
        "discount_budget" => coupon.discount_budget.is_some(),
        _ => coupon.state() != pb::coupon::State::Unspecified,
    }
}

impl Coupon {
    /// What changes with each update.
    pub(crate) fn etag(&self) -> String {
        self.version.to_string()
    }
}

impl From<Coupon> for pb::Coupon {
    fn from(coupon: Coupon) -> Self {
        let (percent, amount) = match coupon.terms.reduction {
            Reduction::Percent(points) => (i32::try_from(points).unwrap_or_default(), None),
            Reduction::Amount(amount) => (0, Some(amount.into())),
        };
        let state = match coupon.terms.state {
            State::Active => pb::coupon::State::Active,
            State::Disabled => pb::coupon::State::Disabled,
        };
        let total = coupon.terms.budget.map(|budget| Money::new(coupon.discount_total, budget.currency));
        pb::Coupon {
            name: coupon.id.name(),
            etag: coupon.etag(),
            code: coupon.code.to_string(),
            title: coupon.terms.title,
            percent_off_basis_points: percent,
            amount_off: amount,
            minimum_subtotal: coupon.terms.minimum.map(contract::Money::from),
            start_time: coupon.terms.start_time.map(prost_types::Timestamp::from),
            expire_time: coupon.terms.expire_time.map(prost_types::Timestamp::from),
            redemption_limit: coupon.terms.limit,
            redemption_limit_per_customer: coupon.terms.limit_per_customer,
            redemption_count: coupon.redemption_count,
            discount_budget: coupon.terms.budget.map(contract::Money::from),
            discount_total: total.map(contract::Money::from),
            state: state.into(),
            create_time: Some(coupon.create_time.into()),
            update_time: Some(coupon.update_time.into()),
        }
    }
}

impl From<Redemption> for pb::Redemption {
    fn from(redemption: Redemption) -> Self {
        let state = match redemption.state {
            RedemptionState::Redeemed => pb::redemption::State::Redeemed,
            RedemptionState::Released => pb::redemption::State::Released,
        };
        pb::Redemption {
            name: redemption.id.name(),
            coupon: redemption.coupon.name(),
            order: redemption.order,
            customer: redemption.customer,
            discount: Some(redemption.discount.into()),
            state: state.into(),
            create_time: Some(redemption.create_time.into()),
        }
    }
}
