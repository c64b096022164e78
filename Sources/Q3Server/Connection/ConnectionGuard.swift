// One connection's clock: slow, silent and departed clients.
#if Server
import HTTPTypes
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1

/// Closes connections that take too long and tells a request when its client has gone.
///
/// The limits are for whole phases, so a byte a second does not help: the header, the body, the answer, the silence
/// between requests. A client that closes its sending half counts as gone: the two look the same.
/// Belongs to its channel's event loop.
final class ConnectionGuard: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    struct Limits: Sendable {
        var header: TimeAmount
        var body: TimeAmount
        var idle: TimeAmount
        /// For a client to take the whole answer.
        var answer: TimeAmount
    }

    /// What a client may still send of a body that was answered early, and how long.
    private static let leftoverBytes = 64 << 10
    private static let leftoverTime = TimeAmount.seconds(1)

    let life = ConnectionLife()
    private let limits: Limits
    private var alarm: Scheduled<Void>?
    private var unreadRequests = 0
    private var unansweredRequests = 0
    private var isAnsweredEarly = false
    private var leftover = 0
    private var isBetweenRequests = true

    init(limits: Limits) { self.limits = limits }

    func handlerAdded(context: ChannelHandlerContext) {
        let pipeline = context.pipeline.syncOperations
        try? pipeline.addHandler(FirstByte(guardian: self), position: .first)
        if let codec = try? pipeline.handler(type: HTTP1ToHTTPServerCodec.self) {
            try? pipeline.addHandler(HeadCheck(), position: .before(codec))
        }
        setAlarm(limits.header, context)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        alarm?.cancel()
        life.end()
    }

    func channelInactive(context: ChannelHandlerContext) {
        alarm?.cancel()
        life.end()
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event as? ChannelEvent == .inputClosed { life.end() }
        context.fireUserInboundEventTriggered(event)
    }

    /// The first byte of a request; its header must follow in time.
    fileprivate func requestBegins(_ context: ChannelHandlerContext) {
        guard isBetweenRequests else { return }
        isBetweenRequests = false
        setAlarm(limits.header, context)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head:
            isBetweenRequests = false
            unreadRequests += 1
            unansweredRequests += 1
            setAlarm(limits.body, context)
        case .body(let bytes):
            guard isAnsweredEarly else { break }
            leftover += bytes.readableBytes
            if leftover > Self.leftoverBytes { return context.close(promise: nil) }
        case .end:
            unreadRequests -= 1
            if isAnsweredEarly, unreadRequests == 0 {
                isAnsweredEarly = false
                setAlarm(limits.idle, context)
                isBetweenRequests = true
            } else {
                alarm?.cancel()
            }
        }
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .head:
            if unreadRequests == 0 { setAlarm(limits.answer, context) }
        case .body: break
        case .end:
            let written = promise ?? context.eventLoop.makePromise()
            let loop = NIOLoopBound((self, context), eventLoop: context.eventLoop)
            written.futureResult.whenSuccess {
                let (guardian, context) = loop.value
                guardian.answered(context)
            }
            return context.write(data, promise: written)
        }
        context.write(data, promise: promise)
    }

    private func answered(_ context: ChannelHandlerContext) {
        unansweredRequests -= 1
        if unreadRequests > 0, unansweredRequests == 0 {
            (isAnsweredEarly, leftover) = (true, 0)
            setAlarm(Self.leftoverTime, context)
        } else if unansweredRequests == 0 {
            isBetweenRequests = true
            setAlarm(limits.idle, context)
        } else {
            alarm?.cancel()  // the next of several requests is being computed
        }
    }

    private func setAlarm(_ time: TimeAmount, _ context: ChannelHandlerContext) {
        alarm?.cancel()
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        alarm = context.eventLoop.scheduleTask(in: time) { bound.value.close(promise: nil) }
    }
}

/// Refuses a header that names two hosts, since readers might believe different ones (the codec drops one of them), and
/// one whose body has no end that both sides know: RFC 9112, 6.3, requires 400 where chunked is not the last transfer
/// coding.
private final class HeadCheck: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .head(let head) = unwrapInboundIn(data), !Self.namesOneHost(head) || !Self.endsInChunks(head) {
            return context.fireErrorCaught(HTTPParserError.invalidHeaderToken)
        }
        context.fireChannelRead(data)
    }

    private static func endsInChunks(_ head: HTTPRequestHead) -> Bool {
        let codings = head.headers[canonicalForm: "transfer-encoding"]
        return codings.isEmpty || codings.last?.lowercased() == "chunked"
    }

    private static func namesOneHost(_ head: HTTPRequestHead) -> Bool {
        let hosts = head.headers["host"]
        guard hosts.count <= 1 else { return false }
        guard let scheme = head.uri.firstRange(of: "://"), head.uri.first != "/" else { return true }
        return hosts.first.map { $0 == head.uri[scheme.upperBound...].prefix { $0 != "/" && $0 != "?" } } ?? true
    }
}

/// Sees bytes as they come in; the guard after the parser sees them only once a header is whole.
private final class FirstByte: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let guardian: ConnectionGuard

    init(guardian: ConnectionGuard) { self.guardian = guardian }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guardian.requestBegins(context)
        context.fireChannelRead(data)
    }
}
#endif
