"""HTTP for people's clients: each handler decodes, calls one service, encodes."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, Router, delete, get, post, put
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, JSONBody, QueryParameter, SkipValidation
from litestar.types import Guard

from nightlight.protocol.messages import (
    Challenge,
    ChallengeRequest,
    ClaimedKeyPackages,
    Contact,
    ContactAction,
    ContactTarget,
    DeviceListUpdate,
    EntryUnusable,
    KeyPackageClaim,
    KeyPackageCount,
    KeyPackageUpload,
    Mailbox,
    Recovery,
    RecoveryEnd,
    RecoveryRequest,
    Registration,
    Room,
    RoomCreation,
    Session,
    SignIn,
    UserDevices,
)
from nightlight.server.http.allowance import Allowances
from nightlight.server.http.caller import Signed, signed_caller
from nightlight.server.services.authentication import Authentication
from nightlight.server.services.contacts import ContactService
from nightlight.server.services.device_lists import DeviceListService
from nightlight.server.services.directory import DirectoryService
from nightlight.server.services.rooms import RoomService

Authenticating = NamedDependency[SkipValidation[Authentication]]
Directing = NamedDependency[SkipValidation[DirectoryService]]
Listing = NamedDependency[SkipValidation[DeviceListService]]
Contacting = NamedDependency[SkipValidation[ContactService]]
Rooming = NamedDependency[SkipValidation[RoomService]]
Claiming = NamedDependency[SkipValidation[Allowances[tuple[int, str]]]]
Host = NamedDependency[SkipValidation[str]]
Query = Annotated[str, QueryParameter(max_length=255)]
OptionalQuery = Annotated[str | None, QueryParameter(max_length=255)]
Action = FromPath[ContactAction]


def asked_host(request: Request[Any, Any, Any]) -> str:
    """The host that was asked, with its port if it has one."""
    return request.headers.get("host", "")


@post("/accounts", summary="Register a person with their first device")
async def register(data: JSONBody[Registration], directory: Directing) -> UserDevices:
    """As ``DirectoryService.register``."""
    return await directory.register(data)


@post("/challenges", summary="Ask what to sign in order to sign in", status_code=200)
async def challenge(data: JSONBody[ChallengeRequest], host: Host, authentication: Authenticating) -> Challenge:
    """As ``Authentication.challenge``."""
    return authentication.challenge(data.device, host)


@post("/sessions", summary="Sign in")
async def sign_in(data: JSONBody[SignIn], host: Host, authentication: Authenticating) -> Session:
    """As ``Authentication.sign_in``."""
    return await authentication.sign_in(data, host)


@get("/device-list", summary="The newest device list of somebody you know")
async def device_list(caller: Signed, user: Query, directory: Directing) -> UserDevices:
    """As ``DirectoryService.device_list``."""
    return await directory.device_list(caller, user)


@put("/device-list", summary="Replace your device list by the next one")
async def update_device_list(caller: Signed, data: JSONBody[DeviceListUpdate], device_lists: Listing) -> UserDevices:
    """As ``DeviceListService.update``."""
    return await device_lists.update(caller, data)


@get("/link", summary="What an old device has left for a new one")
async def mailbox(mailbox: Query, device_lists: Listing) -> Mailbox:
    """As ``DeviceListService.mailbox``."""
    return await device_lists.mailbox(mailbox)


@post("/recovery", summary="Ask to become the one device of a person whose recovery key you hold", status_code=202)
async def begin_recovery(data: JSONBody[RecoveryRequest], device_lists: Listing) -> Recovery:
    """As ``DeviceListService.begin_recovery``."""
    return await device_lists.begin_recovery(data)


@get("/recovery", summary="How the recovery of a fresh device stands")
async def waiting_recovery(device: Query, device_lists: Listing) -> Recovery:
    """As ``DeviceListService.waiting_recovery``."""
    return await device_lists.waiting_recovery(device)


@post("/recovery/end", summary="Become that person's one device, once the wait is over", status_code=200)
async def end_recovery(data: JSONBody[RecoveryEnd], device_lists: Listing) -> UserDevices:
    """As ``DeviceListService.end_recovery``."""
    return await device_lists.end_recovery(data)


@delete("/recoveries", summary="End a recovery of yours that waits")
async def cancel_recovery(caller: Signed, device_lists: Listing) -> None:
    """As ``DeviceListService.cancel_recovery``."""
    await device_lists.cancel_recovery(caller)


@post("/key-packages", summary="Add key packages of this device", status_code=200)
async def add_key_packages(caller: Signed, data: JSONBody[KeyPackageUpload], directory: Directing) -> KeyPackageCount:
    """As ``DirectoryService.upload``."""
    return await directory.upload(caller, data)


@get("/key-packages", summary="How many key packages this device has left")
async def count_key_packages(caller: Signed, directory: Directing) -> KeyPackageCount:
    """As ``DirectoryService.count``."""
    return await directory.count(caller)


@post("/key-packages/claim", summary="Take a key package of each device of a contact", status_code=200)
async def claim(
    caller: Signed, data: JSONBody[KeyPackageClaim], directory: Directing, claims: Claiming
) -> ClaimedKeyPackages:
    """As ``DirectoryService.claim``. Raises ``RefusedError`` ``too_many`` NL-566 for too often, of one person."""
    claims.take((caller.user_id, data.user))  # NL-566
    return await directory.claim(caller, data)


@get("/contacts", summary="Your contacts and requests")
async def list_contacts(caller: Signed, contacts: Contacting) -> list[Contact]:
    """As ``ContactService.of``."""
    return await contacts.of(caller)


@post("/contacts/{action:str}", summary="Request, accept, decline, cancel, block or unblock", status_code=202)
async def act_on_contact(caller: Signed, action: Action, data: JSONBody[ContactTarget], contacts: Contacting) -> None:
    """As ``ContactService.act``."""
    await contacts.act(caller, action, data.user)


@post("/rooms", summary="Begin a room")
async def create_room(caller: Signed, data: JSONBody[RoomCreation], rooms: Rooming) -> Room:
    """As ``RoomService.create``."""
    return await rooms.create(caller, data)


@post("/rooms/unusable", status_code=202, summary="Say that this device cannot go on in a room")
async def unusable(caller: Signed, data: JSONBody[EntryUnusable], rooms: Rooming) -> None:
    """As ``RoomService.unusable``."""
    await rooms.unusable(caller, data)


@get("/rooms", summary="The rooms this device is in, 100 at a time")
async def list_rooms(caller: Signed, rooms: Rooming, after: OptionalQuery = None) -> list[Room]:
    """As ``RoomService.of``."""
    return await rooms.of(caller, after)


@get("/room", summary="One room this device is in")
async def one_room(caller: Signed, room: Query, rooms: Rooming) -> Room:
    """As ``RoomService.one``."""
    return await rooms.one(caller, room)


def user_api(  # noqa: PLR0913, PLR0917 - all that its handlers call
    authentication: Authentication,
    directory: DirectoryService,
    device_lists: DeviceListService,
    contacts: ContactService,
    rooms: RoomService,
    claims: Allowances[tuple[int, str]],
    check_caller: Guard,
    check_arrival: Guard,
) -> Router:
    """Everything under ``/v1`` that a person's client calls. ``check_arrival``: of whoever has no token yet."""
    return Router(
        "/v1",
        route_handlers=[
            Router(
                "/",
                route_handlers=[register, challenge, sign_in, mailbox, begin_recovery, waiting_recovery, end_recovery],
                guards=[check_arrival],
            ),
            Router(
                "/",
                route_handlers=[
                    cancel_recovery,
                    device_list,
                    update_device_list,
                    add_key_packages,
                    count_key_packages,
                    claim,
                    list_contacts,
                    act_on_contact,
                    create_room,
                    unusable,
                    list_rooms,
                    one_room,
                ],
                guards=[check_caller],
            ),
        ],
        dependencies={
            "authentication": Provide(lambda: authentication, sync_to_thread=False),
            "directory": Provide(lambda: directory, sync_to_thread=False),
            "device_lists": Provide(lambda: device_lists, sync_to_thread=False),
            "contacts": Provide(lambda: contacts, sync_to_thread=False),
            "rooms": Provide(lambda: rooms, sync_to_thread=False),
            "claims": Provide(lambda: claims, sync_to_thread=False),
            "caller": Provide(signed_caller, sync_to_thread=False),
            "host": Provide(asked_host, sync_to_thread=False),
        },
    )
