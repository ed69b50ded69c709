"""A Kafka that lets in only who logs in: each way there is, each at a listener of its own or beside another."""

from pathlib import Path
from typing import Final

from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from ft.config import KAFKA_JVM, Config
from ft.embedded import ports
from ft.embedded.kafka import Kafka
from ft.embedded.places import Places
from ft.embedded.progress import Quiet
from ft.streams.worker.process import free_port
from tests.certificates import Authority
from tests.deployments import download_cache

USER: Final = "worker"
PASSWORD: Final = 'with "quotes" and = signs'
HOST: Final = "127.0.0.1"

_RIGHTS: Final = """\
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ft
allow.everyone.if.no.acl.found=true"""
"""Whoever logs in may do all that no rule speaks of."""
_MODULES: Final = "org.apache.kafka.common.security"
_MORE: Final = """\
listener.name.sasl_ssl.ssl.keystore.type=PEM
listener.name.sasl_ssl.ssl.keystore.location={server}
listener.name.sasl_ssl.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER
listener.name.sasl_ssl.plain.sasl.jaas.config={modules}.plain.PlainLoginModule required user_{user}="{password}";
listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config={modules}.scram.ScramLoginModule required;
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config={modules}.scram.ScramLoginModule required;
listener.name.sasl_ssl.oauthbearer.sasl.jaas.config={modules}.oauthbearer.OAuthBearerLoginModule required \
unsecuredLoginStringClaim_sub="broker";
listener.name.ssl.ssl.keystore.type=PEM
listener.name.ssl.ssl.keystore.location={server}
listener.name.ssl.ssl.truststore.type=PEM
listener.name.ssl.ssl.truststore.location={authority}
listener.name.ssl.ssl.client.auth=required"""


class StrictKafka(Kafka):
    """What `ft up` starts, with two listeners more: SASL_SSL, and SSL that asks for a certificate."""

    def __init__(self, folder: Path, authority: Authority) -> None:
        self.home = Config(home=folder / "home", cache=download_cache(), addresses={})
        places = Places.of(self.home)
        places.create()
        chosen = ports.choose(places, frozenset({"kafka", "kafka_controller"}), lambda _: None)
        super().__init__(places, chosen, KAFKA_JVM, Quiet())
        self._authority = authority
        self._server = authority.certify("broker", [HOST])
        self.sasl_ssl = f"{HOST}:{free_port(HOST)}"
        self.ssl = f"{HOST}:{free_port(HOST)}"

    def listeners(self) -> str:
        """Lines of its properties."""
        more = _MORE.format(
            server=self._server.both,
            authority=self._authority.file,
            modules=_MODULES,
            user=USER,
            password=PASSWORD.replace('"', '\\\\"'),
        )
        found = []
        for line in super().listeners().splitlines():
            if line.startswith(("listeners=", "advertised.listeners=")):
                line += f",SASL_SSL://{self.sasl_ssl},SSL://{self.ssl}"
            elif line.startswith("listener.security.protocol.map="):
                line += ",SASL_SSL:SASL_SSL,SSL:SSL"
            found.append(line)
        return "\n".join([*found, more, _RIGHTS])

    def start(self) -> None:
        """With a user that logs in by SCRAM."""
        super().start()
        admin = AdminClient({"bootstrap.servers": self.address, **self.security.librdkafka()})
        wanted = [
            UserScramCredentialUpsertion(USER, ScramCredentialInfo(mechanism, 4096), PASSWORD.encode())
            for mechanism in (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512)
        ]
        for each in wanted:  # one at a time: of a user's two in one request Kafka takes neither
            for future in admin.alter_user_scram_credentials([each]).values():
                future.result(20)

    def forbid_group(self, group: str) -> None:
        """From now on the user may not read as a member of the group."""
        admin = AdminClient({"bootstrap.servers": self.address, **self.security.librdkafka()})
        rule = AclBinding(
            ResourceType.GROUP, group, ResourcePatternType.LITERAL, f"User:{USER}", "*", AclOperation.READ,
            AclPermissionType.DENY,
        )  # fmt: skip
        for future in admin.create_acls([rule]).values():
            future.result(20)

    def end(self) -> None:
        """Stop it; its data stay in its folder."""
        if process := self.process():
            self.stop(process, in_order=False)
