"""The modelled system: gateway, user service, feed service, and the link between them and the DB."""
