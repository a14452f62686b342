"""Every message of the protocol, one frozen struct each, tagged ``t`` on the wire (docs/protocol.rst).

A command carries ``label``, the client's choice, and gets exactly one reply with the same label. A notice comes unasked.
Ids are 16 bytes without meaning, times are milliseconds since 1970, unknown fields are ignored.
"""

from chatserv.wire.commands import (
    Agreed,
    Announce,
    BeginCommit,
    Bye,
    EndCommit,
    FetchKeys,
    GetCertificates,
    GetLog,
    GetRoom,
    GetStatement,
    GetWrap,
    History,
    Leave,
    ListAccounts,
    ListBans,
    ListRooms,
    MakeInvite,
    MarkRead,
    Ping,
    PublishPrekeys,
    PutCommit,
    PutWraps,
    Revoke,
    Send,
    ServerMute,
    SetBan,
    SetPresence,
    SetServerRole,
    SetTyping,
    Suspend,
    Sync,
)
from chatserv.wire.fields import (
    KEYS_PAGE,
    LIST_PAGE,
    MAX_CURSORS,
    MAX_PAGE,
    MAX_ROOMS,
    PREKEYS_PAGE,
    WRAPS_PAGE,
    Command,
    Message,
    Reply,
)
from chatserv.wire.notices import (
    Announcement,
    DrainingNotice,
    Event,
    Farewell,
    Keepalive,
    LeaveWaiting,
    LimitInfo,
    LogHead,
    PrekeysLow,
    Presence,
    Read,
    RoomClosed,
    RoomEntered,
    RoomInfo,
    Typing,
    Welcome,
    WrapReady,
)
from chatserv.wire.replies import (
    AccountInfo,
    AccountList,
    BanInfo,
    BanList,
    CertificateItem,
    Certificates,
    Chain,
    Committed,
    Error,
    Existing,
    Invited,
    Keys,
    Lease,
    LogPage,
    Ok,
    Page,
    PublicRoom,
    RoomList,
    Sent,
    StatementFound,
    Stock,
    Wrapped,
)

ClientMessage = (
    Ping
    | Sync
    | Bye
    | SetPresence
    | Send
    | History
    | ListRooms
    | GetRoom
    | BeginCommit
    | EndCommit
    | PutWraps
    | PutCommit
    | GetWrap
    | Leave
    | Agreed
    | MarkRead
    | SetTyping
    | PublishPrekeys
    | FetchKeys
    | GetCertificates
    | GetLog
    | GetStatement
    | Revoke
    | MakeInvite
    | ListAccounts
    | Suspend
    | ServerMute
    | SetServerRole
    | SetBan
    | ListBans
    | Announce
)

ServerReply = (
    Ok
    | Error
    | Sent
    | Invited
    | Page
    | RoomList
    | Chain
    | Lease
    | Committed
    | Existing
    | Wrapped
    | Stock
    | Keys
    | Certificates
    | LogPage
    | StatementFound
    | AccountList
    | BanList
)

Notice = (
    Welcome
    | Event
    | RoomEntered
    | RoomClosed
    | WrapReady
    | LeaveWaiting
    | LogHead
    | PrekeysLow
    | Presence
    | Typing
    | Read
    | Announcement
    | Keepalive
    | DrainingNotice
    | Farewell
)

ServerMessage = ServerReply | Notice

__all__ = [
    "Agreed",
    "AccountInfo",
    "AccountList",
    "Announce",
    "Announcement",
    "BanInfo",
    "BanList",
    "BeginCommit",
    "Bye",
    "CertificateItem",
    "Certificates",
    "Chain",
    "ClientMessage",
    "Command",
    "Committed",
    "DrainingNotice",
    "EndCommit",
    "Error",
    "Event",
    "Existing",
    "Farewell",
    "FetchKeys",
    "GetCertificates",
    "GetLog",
    "GetRoom",
    "GetStatement",
    "GetWrap",
    "History",
    "Invited",
    "KEYS_PAGE",
    "Keepalive",
    "Keys",
    "LIST_PAGE",
    "Lease",
    "Leave",
    "LeaveWaiting",
    "LimitInfo",
    "ListAccounts",
    "ListBans",
    "ListRooms",
    "LogHead",
    "LogPage",
    "MAX_CURSORS",
    "MAX_PAGE",
    "MAX_ROOMS",
    "MakeInvite",
    "MarkRead",
    "Message",
    "Notice",
    "Ok",
    "PREKEYS_PAGE",
    "Page",
    "Ping",
    "PrekeysLow",
    "Presence",
    "PublicRoom",
    "PublishPrekeys",
    "PutCommit",
    "PutWraps",
    "Read",
    "Reply",
    "Revoke",
    "RoomClosed",
    "RoomEntered",
    "RoomInfo",
    "RoomList",
    "Send",
    "Sent",
    "ServerMessage",
    "ServerMute",
    "ServerReply",
    "SetBan",
    "SetPresence",
    "SetServerRole",
    "SetTyping",
    "StatementFound",
    "Stock",
    "Suspend",
    "Sync",
    "Typing",
    "WRAPS_PAGE",
    "Welcome",
    "WrapReady",
    "Wrapped",
]
