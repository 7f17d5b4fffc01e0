//! The addresses a user keeps.
use chassis::status;
use contract::{common::v1::PostalAddress, identity::v1 as pb};
use prost_types::FieldMask;
use tonic::Code;

use super::support::{Identity, Shop, request_id};

fn postal(city: &str) -> PostalAddress {
    PostalAddress {
        recipient: "Ann".into(),
        line1: "1 Main Street".into(),
        city: city.into(),
        country_code: "GB".into(),
        ..PostalAddress::default()
    }
}

fn create(city: &str, preferred: bool) -> pb::CreateAddressRequest {
    let address = pb::Address { name: String::new(), postal_address: Some(postal(city)), preferred };
    pb::CreateAddressRequest { parent: "users/me".into(), address: Some(address), request_id: String::new() }
}

async fn cities(client: &mut Identity) -> Vec<String> {
    let mut cities = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = pb::ListAddressesRequest { parent: "users/me".into(), page_size: 2, page_token };
        let page = client.list_addresses(request).await.unwrap().into_inner();
        cities.extend(
            page.addresses.into_iter().filter_map(|address| address.postal_address).map(|postal| postal.city),
        );
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return cities;
        }
    }
}

#[tokio::test]
async fn one_address_is_preferred_and_comes_first() {
    let shop = Shop::start().await;
    let (mut ann, _) = shop.customer("ann@example.com").await;
    let york = ann.create_address(create("York", true)).await.unwrap().into_inner();
    ann.create_address(create("Leeds", true)).await.unwrap();
    ann.create_address(create("Hull", false)).await.unwrap();
    assert_eq!(cities(&mut ann).await, ["Leeds", "Hull", "York"]);
    let change = pb::UpdateAddressRequest {
        address: Some(pb::Address { name: york.name.clone(), postal_address: None, preferred: true }),
        update_mask: Some(FieldMask { paths: vec!["preferred".into()] }),
        request_id: request_id(),
    };
    let changed = ann.update_address(change.clone()).await.unwrap().into_inner();
    assert_eq!(changed.postal_address, york.postal_address);
    assert_eq!(ann.update_address(change).await.unwrap().into_inner(), changed);
    assert_eq!(cities(&mut ann).await, ["York", "Hull", "Leeds"]);
    ann.delete_address(pb::DeleteAddressRequest { name: york.name }).await.unwrap();
    assert_eq!(cities(&mut ann).await, ["Hull", "Leeds"]);
}

#[tokio::test]
async fn an_address_is_kept_once_however_often_it_is_sent() {
    let shop = Shop::start().await;
    let (mut ann, _) = shop.customer("ann@example.com").await;
    let request = pb::CreateAddressRequest { request_id: request_id(), ..create("York", false) };
    let first = ann.create_address(request.clone()).await.unwrap().into_inner();
    assert_eq!(ann.create_address(request).await.unwrap().into_inner(), first);
    assert_eq!(cities(&mut ann).await, ["York"]);
}

#[tokio::test]
async fn somebody_elses_address_is_not_found() {
    let shop = Shop::start().await;
    let (mut ann, session) = shop.customer("ann@example.com").await;
    let (mut bob, own) = shop.customer("bob@example.com").await;
    let name = ann.create_address(create("York", false)).await.unwrap().into_inner().name;
    let get = |name: &str| pb::GetAddressRequest { name: name.into() };
    let foreign = bob.get_address(get(&name)).await.unwrap_err();
    let unknown = format!("{}/addresses/01890000-0000-7000-8000-000000000000", own.subject);
    let absent = bob.get_address(get(&unknown)).await.unwrap_err();
    assert_eq!(
        (foreign.code(), foreign.message(), foreign.details()),
        (Code::NotFound, absent.message(), absent.details())
    );
    let delete = pb::DeleteAddressRequest { name: name.clone() };
    assert_eq!(bob.delete_address(delete).await.unwrap_err().code(), Code::NotFound);
    let theirs = pb::CreateAddressRequest { parent: session.subject.clone(), ..create("York", false) };
    assert_eq!(bob.create_address(theirs).await.unwrap_err().code(), Code::NotFound);
    assert!(ann.get_address(get(&name)).await.is_ok());
}

#[tokio::test]
async fn an_address_that_cannot_be_right_is_refused() {
    let shop = Shop::start().await;
    let (mut ann, _) = shop.customer("ann@example.com").await;
    let table = [
        (
            PostalAddress { country_code: "XX".into(), ..postal("York") },
            "address.postal_address.country_code",
        ),
        (PostalAddress { phone: "+1;x".into(), ..postal("York") }, "address.postal_address.phone"),
        (PostalAddress { line1: "x".repeat(5000), ..postal("York") }, "address.postal_address.line1"),
        (
            PostalAddress { recipient: "Ann\nBob".into(), ..postal("York") },
            "address.postal_address.recipient",
        ),
        (postal(""), "address.postal_address.city"),
    ];
    for (postal, field) in table {
        let address = pb::Address { postal_address: Some(postal), ..pb::Address::default() };
        let request = pb::CreateAddressRequest { address: Some(address), ..create("York", false) };
        let refusal = ann.create_address(request).await.unwrap_err();
        assert_eq!(refusal.code(), Code::InvalidArgument, "{field}");
        assert_eq!(status::violations(&refusal)[0].0, field);
    }
}
