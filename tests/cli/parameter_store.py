"""A Parameter Store in memory, in which something can happen before or instead of any call, or its answer be lost."""

from datetime import UTC, datetime, timedelta

from botocore.exceptions import ClientError, EndpointConnectionError

from handshakectl.account.session import Caller
from handshakectl.fleet.selection import Target

PREFIX = "/handshake-acceptor/"


class Killed(BaseException):
    """The process ends here, without another word."""


class ParameterStore:
    """Keeps versions as AWS does: a delete takes the history with it, and versions begin again at 1."""

    def __init__(self, **texts):
        self.versions = {}
        self.calls = []
        self.before, self.lost, self.killed, self.interrupted, self.refused = {}, set(), None, set(), set()
        self._seconds = 0
        for name, text in texts.items():
            self.write(f"{PREFIX}{name.replace('__', '/')}", text)

    def write(self, name, text, description=None, who="arn:aws:sts::222222222222:assumed-role/Security/olga"):
        """A write by somebody, past all that can go wrong. Without a description it keeps the last one's."""
        self._seconds += 1
        versions = self.versions.setdefault(name, [])
        if description is None:
            description = versions[-1]["Description"] if versions else ""
        versions.append(
            {
                "Name": name,
                "Type": "String",
                "Value": text,
                "Version": versions[-1]["Version"] + 1 if versions else 1,
                "Description": description,
                "LastModifiedUser": who,
                "LastModifiedDate": datetime(2026, 11, 25, tzinfo=UTC) + timedelta(seconds=self._seconds),
            }
        )
        return versions[-1]["Version"]

    def delete(self, name):
        self.versions.pop(name, None)

    def text(self, name):
        return self.versions[name][-1]["Value"] if name in self.versions else None

    def texts(self):
        return {name: versions[-1]["Value"] for name, versions in self.versions.items()}

    def _call(self, operation, name, effect):
        number = len(self.calls)
        self.calls.append((operation, name))
        if number in self.before:
            self.before[number]()
        if operation in self.refused:
            raise ClientError({"Error": {"Code": "AccessDenied"}}, operation)
        if number in self.interrupted:
            raise KeyboardInterrupt
        if self.killed == (number, "before"):
            raise Killed
        answer = effect()
        if number in self.lost:
            raise EndpointConnectionError(endpoint_url="https://ssm.us-east-1.amazonaws.com/")
        if self.killed == (number, "after"):
            raise Killed
        return answer

    def get_parameters_by_path(self, **request):
        def effect():
            names = sorted(name for name in self.versions if name.startswith(f"{request['Path']}/"))
            return {"Parameters": [dict(self.versions[name][-1]) for name in names]}

        return self._call("GetParametersByPath", "", effect)

    def get_parameter_history(self, **request):
        def effect():
            if request["Name"] not in self.versions:
                raise ClientError({"Error": {"Code": "ParameterNotFound"}}, "GetParameterHistory")
            return {"Parameters": [dict(each) for each in self.versions[request["Name"]][-100:]]}

        return self._call("GetParameterHistory", request["Name"], effect)

    def put_parameter(self, **request):
        def effect():
            if not request["Overwrite"] and request["Name"] in self.versions:
                raise ClientError({"Error": {"Code": "ParameterAlreadyExists"}}, "PutParameter")
            return {"Version": self.write(request["Name"], request["Value"], request["Description"], "me")}

        return self._call("PutParameter", request["Name"], effect)

    def delete_parameter(self, **request):
        def effect():
            if request["Name"] not in self.versions:
                raise ClientError({"Error": {"Code": "ParameterNotFound"}}, "DeleteParameter")
            self.delete(request["Name"])
            return {}

        return self._call("DeleteParameter", request["Name"], effect)


class Refused:
    """A service of which the caller may not ask anything."""

    def get_role_policy(self, **_):
        raise ClientError({"Error": {"Code": "AccessDenied"}}, "GetRolePolicy")


class InMemory:
    """One account whose Parameter Store is in memory."""

    region = "us-east-1"

    def __init__(self, store):
        self.client = lambda service: store if service == "ssm" else Refused()


def in_memory(stores):
    """The accounts, by id, to carry something out in."""

    def target(account, store):
        return Target(account, None, lambda: (InMemory(store), Caller(account, "aws", "maria")))

    return [target(account, store) for account, store in stores.items()]
