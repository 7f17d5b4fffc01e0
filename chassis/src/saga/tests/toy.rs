//! A toy shop: a world that remembers what is held under which key, and answers as scripted.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter};
use tokio::sync::Notify;
use uuid::Uuid;

use super::super::log::{Direction, StepOutcome, row};
use super::super::{Failure, Outcome, Runner, Saga, Settings, Started, State, Ticket, finish, get};
use super::refusal;
use crate::db::Db;
use crate::migration::Nothing;
use crate::testing::TestDb;

pub(super) const LEASE: Duration = Duration::from_millis(300);

#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) enum Step {
    Coupon,
    Stock,
    Payment,
    Confirm,
}

impl Step {
    pub(super) const ALL: [Step; 4] = [Step::Coupon, Step::Stock, Step::Payment, Step::Confirm];
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Answer {
    Refuse,
    Silent,
    DoneButSilent,
    /// It is under way and will be done.
    Pending,
}

/// What the peers of one saga hold.
#[derive(Default)]
pub(super) struct World {
    state: Mutex<Peers>,
}

#[derive(Default)]
struct Peers {
    held: BTreeMap<Step, BTreeSet<String>>,
    undone: BTreeSet<String>,
    script: HashMap<(Step, &'static str), VecDeque<Answer>>,
    gate: Option<(Step, Gate)>,
    unneeded: BTreeSet<Step>,
}

#[derive(Clone, Default)]
pub(super) struct Gate {
    reached: Arc<Notify>,
    open: Arc<Notify>,
}

impl Gate {
    pub(super) async fn reached(&self) {
        self.reached.notified().await;
    }

    pub(super) fn open(&self) {
        self.open.notify_one();
    }
}

impl World {
    pub(super) fn held(&self) -> Vec<Step> {
        let peers = self.state.lock().unwrap();
        peers.held.iter().flat_map(|(step, keys)| keys.iter().map(|_| *step)).collect()
    }

    /// Says before the saga begins what it will not need.
    pub(super) fn needs_not(&self, steps: impl IntoIterator<Item = Step>) {
        self.state.lock().unwrap().unneeded.extend(steps);
    }

    pub(super) fn undone(&self) -> usize {
        self.state.lock().unwrap().undone.len()
    }

    /// The next one to run this step stands still in it until the gate opens.
    pub(super) fn hold_at(&self, step: Step) -> Gate {
        let gate = Gate::default();
        self.state.lock().unwrap().gate = Some((step, gate.clone()));
        gate
    }

    async fn pass_gate(&self, step: Step) {
        let gate = {
            let mut peers = self.state.lock().unwrap();
            match &peers.gate {
                Some((at, _)) if *at == step => peers.gate.take().map(|(_, gate)| gate),
                _ => None,
            }
        };
        if let Some(gate) = gate {
            gate.reached.notify_one();
            gate.open.notified().await;
        }
        // A call over the network has more than one await.
        tokio::task::yield_now().await;
    }

    async fn ask(
        &self,
        step: Step,
        direction: Direction,
        key: &str,
        effect: impl FnOnce(&mut Peers),
    ) -> Result<(), Failure> {
        self.pass_gate(step).await;
        let result = {
            let mut peers = self.state.lock().unwrap();
            let answer = peers.script.get_mut(&(step, direction.word())).and_then(VecDeque::pop_front);
            match answer {
                Some(Answer::Refuse) => Err(Failure::Refused(refusal())),
                Some(Answer::Silent) => Err(Failure::Unavailable("silent".to_owned())),
                Some(Answer::Pending) => Err(Failure::Pending("under way".to_owned())),
                Some(Answer::DoneButSilent) => {
                    effect(&mut peers);
                    Err(Failure::Unknown(format!("silent about {key}")))
                }
                None => {
                    effect(&mut peers);
                    Ok(())
                }
            }
        };
        tokio::task::yield_now().await;
        result
    }
}

/// `LOCAL`: four steps, the last one the pivot in our own database. Otherwise three, with a remote pivot in the middle.
pub(super) struct Toy<const LOCAL: bool> {
    pub(super) world: Arc<World>,
    db: Db,
    ticket: Ticket,
    done: Vec<String>,
}

impl<const LOCAL: bool> Saga for Toy<LOCAL> {
    const KIND: &'static str = if LOCAL { "toy" } else { "toy-remote" };
    type Step = Step;
    const STEPS: &'static [Step] =
        if LOCAL { &Step::ALL } else { &[Step::Stock, Step::Payment, Step::Confirm] };
    const PIVOT: Step = if LOCAL { Step::Confirm } else { Step::Payment };
    const PIVOT_IS_LOCAL: bool = LOCAL;
    type State = Vec<String>;

    fn needs(&self, step: Step) -> bool {
        !self.world.state.lock().unwrap().unneeded.contains(&step)
    }

    async fn run(&mut self, step: Step) -> Result<(), Failure> {
        let key = self.ticket.request_id(step);
        if LOCAL && step == Step::Confirm {
            self.world.ask(step, Direction::Run, &key, |_| {}).await?;
            let ticket = self.ticket.clone();
            return self
                .db
                .write(async |tx| {
                    let insert = format!("INSERT INTO confirmed (saga) VALUES ('{}')", ticket.saga);
                    tx.execute_unprepared(&insert).await?;
                    finish(tx, &ticket).await
                })
                .await
                .or_else(|failure| if self.ticket_has_ended(&failure) { Ok(()) } else { Err(failure) });
        }
        let effect = |peers: &mut Peers| {
            // A mark of the undo refuses the step that arrives late.
            if !peers.undone.contains(&key) {
                peers.held.entry(step).or_default().insert(key.clone());
            }
        };
        self.world.ask(step, Direction::Run, &key, effect).await?;
        self.done.push(format!("{step:?}"));
        Ok(())
    }

    async fn compensate(&mut self, step: Step) -> Result<(), Failure> {
        let key = self.ticket.request_id(step);
        let effect = |peers: &mut Peers| {
            peers.undone.insert(key.clone());
            if let Some(keys) = peers.held.get_mut(&step) {
                keys.remove(&key);
            }
        };
        self.world.ask(step, Direction::Undo, &key, effect).await
    }

    fn state(&self) -> Vec<String> {
        self.done.clone()
    }

    async fn end(&mut self, tx: &DatabaseTransaction, outcome: &Outcome) -> Result<(), DbErr> {
        let outcome = match outcome {
            Outcome::Completed => "completed",
            Outcome::Compensated(_) => "compensated",
            Outcome::NeedsAttention => "attention",
            Outcome::Pending => "pending",
        };
        let insert = format!("INSERT INTO told (saga, outcome) VALUES ('{}', '{outcome}')", self.ticket.saga);
        tx.execute_unprepared(&insert).await?;
        Ok(())
    }
}

impl<const LOCAL: bool> Toy<LOCAL> {
    /// Confirming twice meets our own unique key, as an order's version would.
    fn ticket_has_ended(&self, failure: &Failure) -> bool {
        matches!(failure, Failure::Unknown(text) if text.to_lowercase().contains("unique"))
    }
}

/// A process with its runners; `restarted` is another one on the same database.
#[derive(Clone)]
pub(super) struct Shop {
    pub(super) db: Db,
    pub(super) runner: Runner<Toy<true>>,
    remote: Runner<Toy<false>>,
    pub(super) worlds: Arc<Mutex<HashMap<Uuid, Arc<World>>>>,
    started: Arc<Mutex<HashMap<Uuid, Started<Toy<true>>>>>,
    started_remote: Arc<Mutex<HashMap<Uuid, Started<Toy<false>>>>>,
    lease: Duration,
    _database: Arc<TestDb>,
}

impl Shop {
    pub(super) async fn open() -> Shop {
        Shop::with_lease(LEASE).await
    }

    pub(super) async fn with_lease(lease: Duration) -> Shop {
        let database = TestDb::new::<Nothing>().await;
        let db = database.clone();
        for table in
            ["confirmed (saga TEXT PRIMARY KEY)", "told (saga TEXT, outcome TEXT, UNIQUE (saga, outcome))"]
        {
            db.writer().execute_unprepared(&format!("CREATE TABLE {table}")).await.unwrap();
        }
        Shop::with(db, Arc::default(), Arc::new(database), lease)
    }

    fn with(
        db: Db,
        worlds: Arc<Mutex<HashMap<Uuid, Arc<World>>>>,
        database: Arc<TestDb>,
        lease: Duration,
    ) -> Shop {
        let settings = Settings {
            lease,
            step_tries: 4,
            undo_tries: 5,
            step_timeout: Duration::from_secs(20),
            delay_first: Duration::from_micros(100),
            delay_max: Duration::from_millis(2),
            poll: Duration::from_millis(20),
            concurrency: 2,
        };
        Shop {
            runner: Runner::new(&db, "toy", settings.clone(), factory(&db, &worlds)),
            remote: Runner::new(&db, "toy", settings, factory(&db, &worlds)),
            db,
            worlds,
            started: Arc::default(),
            started_remote: Arc::default(),
            lease,
            _database: database,
        }
    }

    pub(super) async fn restarted(&self) -> Shop {
        Shop::with(self.db.clone(), Arc::clone(&self.worlds), Arc::clone(&self._database), self.lease)
    }

    pub(super) fn world(&self, id: Uuid) -> Arc<World> {
        world(&self.worlds, id)
    }

    pub(super) fn script(
        &self,
        id: Uuid,
        step: Step,
        direction: Direction,
        answers: impl IntoIterator<Item = Answer>,
    ) {
        let answers = answers.into_iter().collect();
        self.world(id).state.lock().unwrap().script.insert((step, direction.word()), answers);
    }

    pub(super) async fn accept(&self) -> Uuid {
        self.accept_within(Duration::from_secs(60)).await
    }

    /// A saga that has nothing to do in some steps.
    pub(super) async fn accept_without(&self, unneeded: &[Step]) -> Uuid {
        let id = Uuid::now_v7();
        self.world(id).needs_not(unneeded.iter().copied());
        self.accept_as(id, Duration::from_secs(60)).await
    }

    pub(super) async fn accept_within(&self, deadline: Duration) -> Uuid {
        self.accept_as(Uuid::now_v7(), deadline).await
    }

    async fn accept_as(&self, id: Uuid, deadline: Duration) -> Uuid {
        let started = (self.db)
            .write(async |tx| self.runner.start(tx, id, "orders/1", &Vec::new(), deadline).await)
            .await
            .unwrap();
        self.started.lock().unwrap().insert(id, started);
        id
    }

    pub(super) async fn accept_remote(&self, deadline: Duration) -> Uuid {
        let id = Uuid::now_v7();
        let started = (self.db)
            .write(async |tx| self.remote.start(tx, id, "orders/1", &Vec::new(), deadline).await)
            .await
            .unwrap();
        self.started_remote.lock().unwrap().insert(id, started);
        id
    }

    pub(super) fn take(&self, id: Uuid) -> Started<Toy<true>> {
        self.started.lock().unwrap().remove(&id).unwrap()
    }

    pub(super) async fn drive(&self, id: Uuid) -> Outcome {
        self.runner.drive(self.take(id)).await.unwrap()
    }

    pub(super) async fn drive_remote(&self, id: Uuid) -> Outcome {
        let started = self.started_remote.lock().unwrap().remove(&id).unwrap();
        self.remote.drive(started).await.unwrap()
    }

    pub(super) async fn resume(&self, id: Uuid) -> Outcome {
        self.runner.resume(id).await.unwrap()
    }

    pub(super) async fn resume_remote(&self, id: Uuid) -> Outcome {
        self.remote.resume(id).await.unwrap()
    }

    pub(super) async fn let_lease_run_out(&self, id: Uuid) {
        let left = row::Entity::update_many()
            .col_expr(row::Column::LeaseUntil, Expr::value(0i64))
            .filter(row::Column::Id.eq(id))
            .filter(row::Column::EndTime.is_null());
        self.db.write(async |tx| left.exec(tx).await).await.unwrap();
    }

    pub(super) async fn let_deadline_pass(&self, id: Uuid) {
        let late = row::Entity::update_many()
            .col_expr(row::Column::DeadlineAt, Expr::value(1i64))
            .filter(row::Column::Id.eq(id))
            .filter(row::Column::EndTime.is_null());
        self.db.write(async |tx| late.exec(tx).await).await.unwrap();
    }

    pub(super) async fn is_confirmed(&self, id: Uuid) -> bool {
        self.count("confirmed", id).await > 0
    }

    pub(super) async fn assert_completed(&self, id: Uuid) {
        assert_eq!(self.world(id).held(), [Step::Coupon, Step::Stock, Step::Payment]);
        assert_eq!(self.count("confirmed", id).await, 1);
        self.assert_log(id, State::Completed).await;
    }

    pub(super) async fn assert_compensated(&self, id: Uuid) {
        assert_eq!(self.world(id).held(), []);
        assert_eq!(self.count("confirmed", id).await, 0);
        assert_eq!(self.count_told(id, "compensated").await, 1, "the end is told with the end");
        self.assert_log(id, State::Compensated).await;
    }

    /// Only a compensation that was refused, or stayed silent, leaves something held.
    pub(super) async fn assert_attention(&self, id: Uuid) {
        assert_eq!(self.count("confirmed", id).await, 0);
        assert_eq!(self.count_told(id, "attention").await, 1);
        let view = get(self.db.writer(), id).await.unwrap().unwrap();
        let open: Vec<_> = (view.steps.iter())
            .filter(|step| step.direction == Direction::Undo && step.outcome != StepOutcome::Done)
            .map(|step| step.step.clone())
            .collect();
        assert!(!open.is_empty(), "{view:#?}");
        for step in self.world(id).held() {
            assert!(open.contains(&format!("{step:?}")), "{step:?} held unseen: {view:#?}");
        }
    }

    async fn count_told(&self, id: Uuid, outcome: &str) -> i64 {
        self.count(&format!("(SELECT * FROM told WHERE outcome = '{outcome}') AS told"), id).await
    }

    async fn count(&self, table: &str, id: Uuid) -> i64 {
        let query = format!("SELECT COUNT(*) AS n FROM {table} WHERE saga = '{id}'");
        let statement = sea_orm::Statement::from_string(self.db.backend(), query);
        self.db.writer().query_one_raw(statement).await.unwrap().unwrap().try_get("", "n").unwrap()
    }

    /// One start and one end for each step and each compensation, compensations in reverse, nothing done after the
    /// first of them.
    pub(super) async fn assert_log(&self, id: Uuid, state: State) {
        let view = get(self.db.writer(), id).await.unwrap().unwrap();
        assert_eq!(view.state, state, "{view:#?}");
        assert!(view.end_time.is_some());
        let mut seen = BTreeSet::new();
        let mut undone_from = None;
        for step in view.steps.iter().filter(|step| step.direction != Direction::Operator) {
            assert!(seen.insert((step.step.clone(), step.direction.word())), "twice in the log: {view:#?}");
            assert!(step.end_time.is_some() && step.outcome != StepOutcome::Started, "{view:#?}");
            let position = Step::ALL.iter().position(|other| format!("{other:?}") == step.step).unwrap();
            match step.direction {
                Direction::Run => assert!(undone_from.is_none(), "done after the first undo: {view:#?}"),
                Direction::Undo => {
                    assert!(undone_from.is_none_or(|last| position < last), "not in reverse: {view:#?}");
                    undone_from = Some(position);
                }
                Direction::Operator => {}
            }
        }
    }
}

fn world(worlds: &Mutex<HashMap<Uuid, Arc<World>>>, id: Uuid) -> Arc<World> {
    Arc::clone(worlds.lock().unwrap().entry(id).or_default())
}

pub(super) fn factory<const LOCAL: bool>(
    db: &Db,
    worlds: &Arc<Mutex<HashMap<Uuid, Arc<World>>>>,
) -> impl Fn(Ticket, Vec<String>) -> Toy<LOCAL> + Send + Sync + 'static {
    let (db, worlds) = (db.clone(), Arc::clone(worlds));
    move |ticket, done| Toy { world: world(&worlds, ticket.saga), db: db.clone(), ticket, done }
}
