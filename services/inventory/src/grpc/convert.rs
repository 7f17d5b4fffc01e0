//! From the domain to the wire.

use contract::inventory::v1 as pb;

use crate::domain::movement::Entry;
use crate::domain::reservation::Line;
use crate::domain::{Kind, Level, Location, LocationId, Reservation, State, Stock, Total};

impl From<Stock> for pb::Stock {
    fn from(stock: Stock) -> Self {
        Self {
            name: stock.sku.stock_name(),
            sku: stock.sku.to_string(),
            on_hand: stock.level.on_hand,
            reserved: stock.level.reserved,
            available: stock.level.available(),
            low_threshold: stock.low_threshold,
            low: stock.low,
            locations: stock.locations.into_iter().map(location).collect(),
            update_time: Some(stock.update_time.into()),
        }
    }
}

fn location((location, level): (LocationId, Level)) -> pb::LocationStock {
    pb::LocationStock {
        location: location.name(),
        on_hand: level.on_hand,
        reserved: level.reserved,
        available: level.available(),
    }
}

impl From<&Total> for pb::StockLevel {
    fn from(total: &Total) -> Self {
        Self {
            stock: total.sku.stock_name(),
            sku: total.sku.to_string(),
            on_hand: total.level.on_hand,
            reserved: total.level.reserved,
            available: total.level.available(),
        }
    }
}

impl From<&Total> for pb::StockLow {
    fn from(total: &Total) -> Self {
        Self {
            stock: total.sku.stock_name(),
            sku: total.sku.to_string(),
            available: total.level.available(),
            low_threshold: total.low_threshold,
        }
    }
}

impl From<Location> for pb::Location {
    fn from(location: Location) -> Self {
        Self {
            name: location.id.name(),
            title: location.title,
            priority: location.priority,
            create_time: Some(location.create_time.into()),
        }
    }
}

impl From<Reservation> for pb::Reservation {
    fn from(reservation: Reservation) -> Self {
        Self {
            name: reservation.id.name(),
            order: reservation.order,
            lines: reservation.lines.into_iter().map(pb::ReservationLine::from).collect(),
            state: pb::reservation::State::from(reservation.state).into(),
            expire_time: Some(reservation.expire_time.into()),
            create_time: Some(reservation.create_time.into()),
        }
    }
}

impl From<Line> for pb::ReservationLine {
    fn from(line: Line) -> Self {
        Self { sku: line.sku.to_string(), quantity: line.quantity, location: line.location.name() }
    }
}

impl From<State> for pb::reservation::State {
    fn from(state: State) -> Self {
        match state {
            State::Held => Self::Held,
            State::Committed => Self::Committed,
            State::Released | State::Barred => Self::Released,
            State::Expired => Self::Expired,
        }
    }
}

impl From<Entry> for pb::Movement {
    fn from(entry: Entry) -> Self {
        Self {
            name: entry.id.name(),
            sku: entry.movement.sku.to_string(),
            location: entry.movement.location.name(),
            kind: pb::movement::Kind::from(entry.movement.kind).into(),
            on_hand_delta: entry.movement.on_hand,
            reserved_delta: entry.movement.reserved,
            reference: entry.cause.reference,
            actor: entry.cause.actor,
            reason: entry.cause.reason,
            create_time: Some(entry.cause.time.into()),
        }
    }
}

impl From<Kind> for pb::movement::Kind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Receipt => Self::Receipt,
            Kind::Sale => Self::Sale,
            Kind::Return => Self::Return,
            Kind::Adjustment => Self::Adjustment,
            Kind::Reserve => Self::Reserve,
            Kind::Release => Self::Release,
        }
    }
}
