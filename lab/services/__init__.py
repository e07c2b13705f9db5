"""The modelled system: gateway, user service, feed service, and the delay proxy between them and the database."""
