"""HTTP for people's clients: each handler decodes, calls one service, encodes."""

from __future__ import annotations

from typing import Annotated

from litestar import Request, Router, get, post, put
from litestar.datastructures import State
from litestar.di import Provide
from litestar.params import Dependency, Parameter

from nightlight.errors import ProblemName, RefusedError
from nightlight.protocol.messages import (
    Challenge,
    ChallengeRequest,
    ClaimedKeyPackages,
    Contact,
    ContactAction,
    ContactTarget,
    DeviceListUpdate,
    KeyPackageClaim,
    KeyPackageCount,
    KeyPackageUpload,
    Registration,
    Room,
    RoomCreation,
    Session,
    SignIn,
    UserDevices,
)
from nightlight.server.ports.delivery import Caller
from nightlight.server.services.authentication import Authentication
from nightlight.server.services.contacts import ContactService
from nightlight.server.services.directory import DirectoryService
from nightlight.server.services.rooms import RoomService

_SCHEME = "Bearer "
_TOKEN_MAX = 128

Query = Annotated[str, Parameter(max_length=255)]
Signed = Annotated[Caller, Dependency(skip_validation=True)]


def user_api(
    authentication: Authentication, directory: DirectoryService, contacts: ContactService, rooms: RoomService
) -> Router:
    """Everything under ``/v1`` that a person's client calls."""

    async def provide_caller(request: Request[object, object, State]) -> Caller:
        """Raises ``RefusedError`` ``unauthenticated`` NL-454: no bearer token."""
        header = request.headers.get("authorization", "")
        token = header.removeprefix(_SCHEME)
        if token == header or not 0 < len(token) <= _TOKEN_MAX:
            raise RefusedError(ProblemName.UNAUTHENTICATED)  # NL-454
        return await authentication.authenticate(token)

    @post("/accounts", operation_id="register", summary="Register a person with their first device")
    async def register(data: Registration) -> UserDevices:
        return await directory.register(data)

    @post("/challenges", operation_id="challenge", summary="Ask what to sign in order to sign in", status_code=200)
    async def challenge(data: ChallengeRequest) -> Challenge:
        return authentication.challenge(data.device)

    @post("/sessions", operation_id="signIn", summary="Sign in")
    async def sign_in(data: SignIn) -> Session:
        return await authentication.sign_in(data)

    @get("/device-list", operation_id="deviceList", summary="The newest device list of somebody you know")
    async def device_list(caller: Signed, user: Query) -> UserDevices:
        return await directory.device_list(caller, user)

    @put("/device-list", operation_id="updateDeviceList", summary="Replace your device list by the next one")
    async def update_device_list(caller: Signed, data: DeviceListUpdate) -> UserDevices:
        return await directory.update_list(caller, data.device_list)

    @post("/key-packages", operation_id="uploadKeyPackages", summary="Add key packages of this device", status_code=200)
    async def upload_key_packages(caller: Signed, data: KeyPackageUpload) -> KeyPackageCount:
        return await directory.upload(caller, data)

    @get("/key-packages", operation_id="countKeyPackages", summary="How many key packages this device has left")
    async def count_key_packages(caller: Signed) -> KeyPackageCount:
        return await directory.count(caller)

    @post(
        "/key-packages/claim", operation_id="claimKeyPackages", summary="Take a key package of each device of a contact"
    )
    async def claim_key_packages(caller: Signed, data: KeyPackageClaim) -> ClaimedKeyPackages:
        return await directory.claim(caller, data.user)

    @get("/contacts", operation_id="contacts", summary="Your contacts and requests")
    async def list_contacts(caller: Signed) -> list[Contact]:
        return await contacts.of(caller)

    @post(
        "/contacts/{action:str}",
        operation_id="contactAction",
        summary="Request, accept, decline, cancel, block, unblock",
        status_code=202,
    )
    async def contact_action(caller: Signed, action: ContactAction, data: ContactTarget) -> None:
        await contacts.act(caller, action, data.user)

    @post("/rooms", operation_id="createRoom", summary="Begin a room")
    async def create_room(caller: Signed, data: RoomCreation) -> Room:
        return await rooms.create(caller, data)

    @get("/rooms", operation_id="rooms", summary="The rooms this device is in")
    async def list_rooms(caller: Signed) -> list[Room]:
        return await rooms.of(caller)

    @get("/room", operation_id="room", summary="One room this device is in")
    async def one_room(caller: Signed, room: Query) -> Room:
        return await rooms.one(caller, room)

    return Router(
        "/v1",
        route_handlers=[
            register,
            challenge,
            sign_in,
            device_list,
            update_device_list,
            upload_key_packages,
            count_key_packages,
            claim_key_packages,
            list_contacts,
            contact_action,
            create_room,
            list_rooms,
            one_room,
        ],
        dependencies={"caller": Provide(provide_caller)},
    )
