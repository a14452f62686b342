"""At which of several addresses the server is found."""

from chatserv.client import Client, shown, translate


def with_address(said: str, client: Client) -> str:
    """The text, and where the server is; the text alone where there is one address, which needs no words."""
    if len(client.addresses) < 2:
        return said
    return f"{said} {translate('Server: {address}').format(address=shown(client.address))}"
