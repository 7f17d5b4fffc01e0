//! A repeated request.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chassis::caller::Caller;
use chassis::db::Db;
use chassis::once::{self, Claim, Key, once};
use chassis::status;
use sea_orm::DbErr;
use tonic::{Code, Status};

use crate::world::{Counted, databases, effect, effects};

const ID: &str = "0198a3c2-0000-7000-8000-000000000001";

struct Failed;

impl From<DbErr> for Failed {
    fn from(_: DbErr) -> Failed {
        Failed
    }
}

impl From<Failed> for Status {
    fn from(_: Failed) -> Status {
        Status::failed_precondition("no")
    }
}

fn key(who: &str, id: &str, request: &Counted) -> Key {
    Key::of(&Caller::person(who, None, []), "Count", id, request)
}

fn request(number: i64) -> Counted {
    Counted { name: "a".into(), number }
}

async fn ask(db: &Db, who: &str, id: &str, number: i64, reply: i64) -> Result<Counted, Status> {
    once::<Counted, Failed, _>(db, key(who, id, &request(number)), async |tx| {
        effect(tx, "a", number).await?;
        Ok(request(reply))
    })
    .await
}

#[tokio::test]
async fn the_same_request_again_gets_the_first_reply() {
    for db in databases().await {
        assert_eq!(ask(&db, "users/1", ID, 1, 10).await.unwrap().number, 10);
        assert_eq!(ask(&db, "users/1", ID, 1, 20).await.unwrap().number, 10);
        assert_eq!(ask(&db, "users/1", &ID.to_uppercase(), 1, 20).await.unwrap().number, 10);
        assert_eq!(effects(&db).await["a"], [1]);
    }
}

#[tokio::test]
async fn another_request_under_a_used_id_is_refused() {
    for db in databases().await {
        ask(&db, "users/1", ID, 1, 10).await.unwrap();
        let refusal = ask(&db, "users/1", ID, 2, 10).await.unwrap_err();
        assert_eq!(refusal.code(), Code::AlreadyExists);
        assert_eq!(status::reason(&refusal).as_deref(), Some("REQUEST_ID_REUSED"));
        assert_eq!(effects(&db).await["a"], [1]);
    }
}

#[tokio::test]
async fn two_callers_may_use_the_same_id_and_no_id_claims_nothing() {
    for db in databases().await {
        ask(&db, "users/1", ID, 1, 10).await.unwrap();
        ask(&db, "users/2", ID, 2, 10).await.unwrap();
        ask(&db, "users/1", "", 3, 10).await.unwrap();
        ask(&db, "users/1", "", 3, 10).await.unwrap();
        assert_eq!(effects(&db).await["a"], [1, 2, 3, 3]);
    }
}

#[tokio::test]
async fn a_refused_request_may_be_tried_again() {
    for db in databases().await {
        let refused = once::<Counted, Failed, _>(&db, key("users/1", ID, &request(1)), async |tx| {
            effect(tx, "a", 1).await?;
            Err(Failed)
        })
        .await;
        assert_eq!(refused.unwrap_err().code(), Code::FailedPrecondition);
        assert_eq!(ask(&db, "users/1", ID, 1, 10).await.unwrap().number, 10);
        assert_eq!(effects(&db).await["a"], [1]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_at_once_one_is_carried_out_and_all_get_its_reply() {
    for db in databases().await {
        let ran = Arc::new(AtomicUsize::new(0));
        let callers = (0..12).map(|caller| {
            let (db, ran) = (db.clone(), ran.clone());
            tokio::spawn(async move {
                once::<Counted, Failed, _>(&db, key("users/1", ID, &request(1)), async |tx| {
                    ran.fetch_add(1, Ordering::SeqCst);
                    effect(tx, "a", 1).await?;
                    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                    Ok(request(caller))
                })
                .await
            })
        });
        let replies: Vec<i64> = futures::future::join_all(callers)
            .await
            .into_iter()
            .map(|reply| reply.unwrap().unwrap().number)
            .collect();
        assert_eq!(ran.load(Ordering::SeqCst), 1);
        assert!(replies.iter().all(|reply| *reply == replies[0]), "{replies:?}");
        assert_eq!(effects(&db).await["a"], [1]);
    }
}

#[tokio::test]
async fn what_is_claimed_and_not_answered_yet_is_in_flight() {
    for db in databases().await {
        let key = key("users/1", ID, &request(1));
        let claim =
            async || db.write::<_, once::Error, _>(async |tx| once::claim::<Counted>(tx, &key).await).await;
        assert_eq!(claim().await.unwrap(), Claim::New);
        let refusal = Status::from(claim().await.unwrap_err());
        assert_eq!(refusal.code(), Code::Aborted);
        assert_eq!(status::reason(&refusal).as_deref(), Some("REQUEST_IN_FLIGHT"));
        db.write::<_, DbErr, _>(async |tx| once::settle(tx, &key, &request(10)).await).await.unwrap();
        assert_eq!(claim().await.unwrap(), Claim::Done(request(10)));
        db.write::<_, DbErr, _>(async |tx| once::forget(tx, &key).await).await.unwrap();
        assert_eq!(claim().await.unwrap(), Claim::New);
    }
}

#[tokio::test]
async fn many_requests_are_claimed_with_their_replies_or_none_of_them() {
    for db in databases().await {
        let keys: Vec<Key> =
            (0..3).map(|number| key("users/1", &format!("{ID}{number}"), &request(number))).collect();
        let answer = async |keys: &[Key]| {
            let replies = keys.iter().zip((10..).map(request));
            db.write(async |tx| match once::answer_all(tx, replies.clone()).await {
                Ok(true) => Ok(()),
                Ok(false) => Err(DbErr::RecordNotInserted),
                Err(error) => Err(error),
            })
            .await
        };
        answer(&keys[..2]).await.unwrap();
        let known = once::known::<Counted>(db.writer(), &keys[1]).await.unwrap();
        assert_eq!(known.unwrap().number, 11);
        answer(&keys[1..]).await.unwrap_err();
        assert!(once::known::<Counted>(db.writer(), &keys[2]).await.unwrap().is_none());
        answer(&keys[2..]).await.unwrap();
        let other = key("users/1", &format!("{ID}1"), &request(7));
        assert!(matches!(once::known::<Counted>(db.writer(), &other).await, Err(once::Error::Reused)));
    }
}
