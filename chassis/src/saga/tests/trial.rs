//! The trial that services put their sagas on, with the toy: it passes, and one that forgets something does not.

use std::time::Duration;

use uuid::Uuid;

use super::super::testing::{Faulty, Trial};
use super::super::{Failure, Runner, Saga, Started, Ticket};
use super::toy::{Shop, Step, Toy, factory};

async fn accept<S: Saga<State = Vec<String>>>(shop: &Shop, runner: &Runner<Faulty<S>>) -> Started<Faulty<S>> {
    let id = Uuid::now_v7();
    let started = shop
        .db
        .write(async |tx| runner.start(tx, id, "orders/1", &Vec::new(), Duration::from_secs(60)).await);
    started.await.unwrap()
}

#[tokio::test]
async fn the_toy_stands_its_trial() {
    let shop = Shop::open().await;
    let trial = Trial::new(
        &shop.db,
        factory::<true>(&shop.db, &shop.worlds),
        async |runner: &Runner<Faulty<Toy<true>>>| accept(&shop, runner).await,
        async |id| (shop.world(id).held(), shop.is_confirmed(id).await),
    );
    trial.lost_answers_change_nothing().await;
    trial.refusals_leave_nothing().await;
    trial.a_compensation_that_fails_stops_no_other().await;
    trial.crashes_change_nothing().await;
}

/// Forgets to give stock back.
struct Forgetful(Toy<true>);

impl Saga for Forgetful {
    const KIND: &'static str = "forgetful";
    type Step = Step;
    const STEPS: &'static [Step] = &Step::ALL;
    const PIVOT: Step = Step::Confirm;
    const PIVOT_IS_LOCAL: bool = true;
    type State = Vec<String>;

    async fn run(&mut self, step: Step) -> Result<(), Failure> {
        self.0.run(step).await
    }

    async fn compensate(&mut self, step: Step) -> Result<(), Failure> {
        if step == Step::Stock { Ok(()) } else { self.0.compensate(step).await }
    }

    fn state(&self) -> Vec<String> {
        self.0.state()
    }
}

#[tokio::test]
#[should_panic(expected = "left something")]
async fn a_saga_that_forgets_to_give_something_back_does_not() {
    let shop = Shop::open().await;
    let toys = factory::<true>(&shop.db, &shop.worlds);
    let trial = Trial::new(
        &shop.db,
        move |ticket: Ticket, state| Forgetful(toys(ticket, state)),
        async |runner: &Runner<Faulty<Forgetful>>| accept(&shop, runner).await,
        async |id| shop.world(id).held(),
    );
    trial.refusals_leave_nothing().await;
}
