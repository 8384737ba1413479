"""Orders of our shop: a span for each, with what was ordered and by whom."""

from goinst import Capture, Protocol

PROTOCOL = Protocol(
    name="orders",
    summary="orders of our shop",
    hits="2 an order, 1 of them single-stepped",
    captures=(
        Capture(
            "example.com/shop/orders.(*Order).Place",
            fields={"order.item": "o.Item", "user.name": "o.By.Name"},
            name="order",
        ),
    ),
)
