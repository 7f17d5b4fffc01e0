//! The texts that come with the shop.

/// Kind, language, subject, body.
pub(super) type Text = (&'static str, &'static str, &'static str, &'static str);

pub(super) const PASSWORD_RESET: &[Text] = &[
    (
        "password-reset",
        "en",
        "Your code for a new password is {{code}}",
        "Your code for a new password is {{code}}.\n\nEnter it within 30 minutes. If you did not ask for it, ignore this message: your password stays as it is.\n",
    ),
    (
        "password-reset",
        "de",
        "Ihr Code für ein neues Passwort ist {{code}}",
        "Ihr Code für ein neues Passwort ist {{code}}.\n\nGeben Sie ihn innerhalb von 30 Minuten ein. Wenn Sie ihn nicht angefordert haben, ist nichts zu tun: Ihr Passwort bleibt, wie es ist.\n",
    ),
    (
        "password-reset",
        "zh",
        "您的重置密码验证码是 {{code}}",
        "您的重置密码验证码是 {{code}}。\n\n请在 30 分钟内输入。如果不是您本人操作，请忽略本邮件：您的密码不会改变。\n",
    ),
];

pub(super) const CLAIM_ORDER: &[Text] = &[
    (
        "claim-order",
        "en",
        "Your code for your order is {{code}}",
        "Your code is {{code}}.\n\nEnter it within 15 minutes to add the order {{order}} to your account. If you did not ask for it, ignore this message: whoever has the code has the order.\n",
    ),
    (
        "claim-order",
        "de",
        "Ihr Code für Ihre Bestellung ist {{code}}",
        "Ihr Code ist {{code}}.\n\nGeben Sie ihn innerhalb von 15 Minuten ein, um die Bestellung {{order}} Ihrem Konto hinzuzufügen. Wenn Sie ihn nicht angefordert haben, ist nichts zu tun: Wer den Code hat, hat die Bestellung.\n",
    ),
    (
        "claim-order",
        "zh",
        "您的订单验证码是 {{code}}",
        "您的验证码是 {{code}}。\n\n请在 15 分钟内输入，以便将订单 {{order}} 加入您的账户。如果不是您本人操作，请忽略本邮件：持有验证码者即可获得该订单。\n",
    ),
];

pub(super) const TEXTS: &[Text] = &[
    (
        "verify-contact",
        "en",
        "Your code is {{code}}",
        "Your code is {{code}}.\n\nEnter it within 15 minutes to finish opening your account. If you did not ask for it, ignore this message.\n",
    ),
    (
        "account-exists",
        "en",
        "You already have an account",
        "Somebody, perhaps you, tried to open an account with this address. You have one already: just sign in.\n\nIf it was not you, there is nothing to do.\n",
    ),
    (
        "password-changed",
        "en",
        "Your password was changed",
        "The password of your account was changed, and every other session was ended.\n\nIf it was not you, tell us at once.\n",
    ),
    ("welcome", "en", "Welcome, {{name}}", "Hello {{name}},\n\nyour account is ready.\n"),
    (
        "order-confirmed",
        "en",
        "We have your order {{order}}",
        "Hello {{name}},\n\nthank you for your order {{order}}:\n\n{{lines}}\n\nTotal: {{total}}\n\nWe will tell you when it is on its way.\n",
    ),
    (
        "order-shipped",
        "en",
        "Your order {{order}} is on its way",
        "Hello {{name}},\n\nyour order {{order}} is on its way:\n\n{{lines}}\n",
    ),
    (
        "order-delivered",
        "en",
        "Your order {{order}} has arrived",
        "Hello {{name}},\n\nyour order {{order}} was delivered. Enjoy it!\n",
    ),
    (
        "order-cancelled",
        "en",
        "Your order {{order}} was cancelled",
        "Hello {{name}},\n\nyour order {{order}} over {{total}} was cancelled ({{reason}}). What you have paid is given back.\n",
    ),
    (
        "return-received",
        "en",
        "Your return of order {{order}} has arrived",
        "Hello {{name}},\n\nwhat you sent back from order {{order}} has arrived. We give back {{refund}}.\n",
    ),
    (
        "order-confirmed",
        "de",
        "Ihre Bestellung {{order}}",
        "Guten Tag {{name}},\n\nvielen Dank für Ihre Bestellung {{order}}:\n\n{{lines}}\n\nSumme: {{total}}\n\nWir melden uns, sobald sie unterwegs ist.\n",
    ),
    (
        "order-shipped",
        "de",
        "Ihre Bestellung {{order}} ist unterwegs",
        "Guten Tag {{name}},\n\nIhre Bestellung {{order}} ist unterwegs:\n\n{{lines}}\n",
    ),
    (
        "order-delivered",
        "de",
        "Ihre Bestellung {{order}} ist angekommen",
        "Guten Tag {{name}},\n\nIhre Bestellung {{order}} wurde zugestellt. Viel Freude damit!\n",
    ),
    (
        "order-cancelled",
        "de",
        "Ihre Bestellung {{order}} wurde storniert",
        "Guten Tag {{name}},\n\nIhre Bestellung {{order}} über {{total}} wurde storniert ({{reason}}). Bereits Gezahltes erstatten wir.\n",
    ),
    (
        "return-received",
        "de",
        "Ihre Rücksendung zu {{order}} ist angekommen",
        "Guten Tag {{name}},\n\nIhre Rücksendung zur Bestellung {{order}} ist angekommen. Wir erstatten {{refund}}.\n",
    ),
    (
        "order-confirmed",
        "zh",
        "订单 {{order}} 已确认",
        "{{name}}，您好：\n\n感谢您的订单 {{order}}：\n\n{{lines}}\n\n合计：{{total}}\n\n发货后我们会通知您。\n",
    ),
    (
        "order-shipped",
        "zh",
        "订单 {{order}} 已发货",
        "{{name}}，您好：\n\n您的订单 {{order}} 已发货：\n\n{{lines}}\n",
    ),
    (
        "order-delivered",
        "zh",
        "订单 {{order}} 已送达",
        "{{name}}，您好：\n\n您的订单 {{order}} 已送达。祝您使用愉快！\n",
    ),
    (
        "order-cancelled",
        "zh",
        "订单 {{order}} 已取消",
        "{{name}}，您好：\n\n您的订单 {{order}}（{{total}}）已取消（{{reason}}）。已付款项将退还。\n",
    ),
    (
        "return-received",
        "zh",
        "订单 {{order}} 的退货已收到",
        "{{name}}，您好：\n\n我们已收到您订单 {{order}} 的退货，将退还 {{refund}}。\n",
    ),
];
