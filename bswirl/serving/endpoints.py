"""Served models as the settings name them."""

from __future__ import annotations

from dataclasses import replace

from bswirl.serving.calls import ServedModel
from bswirl.settings import EndpointSettings, ServedSettings


def served_model(settings: ServedSettings) -> ServedModel:
    """The model with its endpoint's address and limits."""
    model = at_endpoint(settings.endpoint, settings.model, settings.price_in, settings.price_out)
    discount = settings.batch_discount
    return model if discount is None else replace(model, batch_discount=discount)


def at_endpoint(
    endpoint: EndpointSettings, model: str, price_in: float | None = None, price_out: float | None = None
) -> ServedModel:
    """A model of any name at an endpoint."""
    return ServedModel(
        endpoint=endpoint.name,
        url=endpoint.url,
        model=model,
        key_variable=endpoint.key,
        price_in=price_in,
        price_out=price_out,
        in_flight=endpoint.in_flight,
        requests_per_minute=endpoint.requests_per_minute,
        tokens_per_minute=endpoint.tokens_per_minute,
        timeout=endpoint.timeout,
        batch_discount=endpoint.batch_discount,
    )
