//! Templates, as staff keep them.
use chassis::{status, testing::eventually};
use contract::notification::v1::{self as pb, template::Channel};
use tonic::Code;

use super::support::{ANN, Shop, request_id, send};

fn template(kind: &str, locale: &str, subject: &str, body: &str) -> pb::Template {
    pb::Template {
        kind: kind.into(),
        locale: locale.into(),
        channel: Channel::Email.into(),
        subject: subject.into(),
        body: body.into(),
        ..pb::Template::default()
    }
}

fn update(template: pb::Template) -> pb::UpdateTemplateRequest {
    pb::UpdateTemplateRequest { template: Some(template), request_id: request_id() }
}

#[tokio::test]
async fn the_shop_comes_with_texts_for_everything() {
    let shop = Shop::start().await;
    let mut staff = shop.staff(&["template.write"]);
    let mut names = Vec::new();
    let mut page_token = String::new();
    loop {
        let page = staff
            .list_templates(pb::ListTemplatesRequest { page_size: 10, page_token })
            .await
            .unwrap()
            .into_inner();
        names.extend(page.templates.into_iter().map(|template| template.name));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    for kind in ["verify-contact", "account-exists", "password-changed"] {
        assert!(names.contains(&format!("templates/{kind}.en.email")), "{kind}");
    }
    for kind in ["order-confirmed", "order-shipped", "order-delivered", "order-cancelled", "return-received"]
    {
        for locale in ["en", "de", "zh"] {
            for channel in ["email", "inbox"] {
                assert!(names.contains(&format!("templates/{kind}.{locale}.{channel}")), "{kind} {locale}");
            }
        }
    }
    assert!(names.is_sorted());
    assert_eq!(
        shop.customer(ANN).list_templates(pb::ListTemplatesRequest::default()).await.unwrap_err().code(),
        Code::PermissionDenied
    );
}

#[tokio::test]
async fn a_text_for_another_language_is_used_at_once() {
    let shop = Shop::start().await;
    let mut staff = shop.staff(&["template.write"]);
    let new = update(template("verify-contact", "fr", "Votre code : {{code}}", "{{code}}"));
    let saved = staff.update_template(new.clone()).await.unwrap().into_inner();
    assert_eq!(saved.name, "templates/verify-contact.fr.email");
    assert_eq!(staff.update_template(new).await.unwrap().into_inner(), saved);
    assert_eq!(
        staff.get_template(pb::GetTemplateRequest { name: saved.name.clone() }).await.unwrap().into_inner(),
        saved
    );
    let request = pb::SendNotificationRequest {
        locale: "fr-CA".into(),
        ..send("verify-contact", "ann@example.com", &[("code", "7")])
    };
    shop.identity().send_notification(request).await.unwrap();
    let caught = eventually(async || shop.caught("ann@example.com").await.pop()).await;
    assert_eq!(caught.subject, "Votre code : 7");
}

#[tokio::test]
async fn a_text_that_cannot_be_right_is_refused() {
    let shop = Shop::start().await;
    let mut staff = shop.staff(&["template.write"]);
    let table = [
        (template("no-such-kind", "en", "s", "b"), "template.kind"),
        (template("welcome", "e n", "s", "b"), "template.locale"),
        (template("welcome", "en", "two\nlines", "b"), "template.subject"),
        (template("welcome", "en", "s", "{{password}}"), "template.body"),
        (template("welcome", "en", "{{name", "b"), "template.subject"),
        (
            pb::Template { channel: Channel::Inbox.into(), ..template("verify-contact", "en", "s", "b") },
            "template.channel",
        ),
        (pb::Template { channel: 99, ..template("welcome", "en", "s", "b") }, "template.channel"),
        (template("welcome", "en", "", "b"), "template.subject"),
    ];
    for (template, field) in table {
        let refusal = staff.update_template(update(template)).await.unwrap_err();
        assert_eq!(refusal.code(), Code::InvalidArgument, "{field}");
        assert_eq!(status::violations(&refusal)[0].0, field);
    }
    for (name, code) in
        [("templates/welcome.xx.email", Code::NotFound), ("templates/../x", Code::InvalidArgument)]
    {
        assert_eq!(
            staff.get_template(pb::GetTemplateRequest { name: name.into() }).await.unwrap_err().code(),
            code
        );
    }
}
