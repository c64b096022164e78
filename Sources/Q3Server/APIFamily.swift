// What an API family is: its routes, the form of its errors, and what it reports beside its answers.
#if Server
import HTTPTypes
import Hummingbird

/// The routes that one kind of client calls, and the form in which it reads errors.
///
/// The router, the 405 answers, access control and the tests read the families; nothing else knows a path.
struct APIFamily: Sendable {
    let errors: ErrorForm
    /// Headers of an answer that tell what was computed and how long it took.
    var headers: @Sendable (Timing) -> HTTPFields = { _ in [:] }
    let routes: [Route]
}

/// What is done for a method and a path.
struct Route: Sendable {
    typealias Handler = @Sendable (APIRequest) async throws(APIError) -> APIResponse

    let methods: [HTTPRequest.Method]
    let paths: [String]
    var condition = BodyCondition()
    /// Probes and static pages need none, as in the peers.
    var needsKey = true
    /// JSON is required to be called so, which no page of another site can do without being allowed to. Ollama's own
    /// examples send JSON under any name; there the origin alone decides.
    var takesAnyContentType = false
    let handler: Handler

    static func get(_ paths: String..., needsKey: Bool = true, to handler: @escaping Handler) -> Route {
        Route(methods: [.get, .head], paths: paths, needsKey: needsKey, handler: handler)
    }

    static func post(
        _ paths: String..., when condition: BodyCondition = BodyCondition(), takesAnyContentType: Bool = false,
        to handler: @escaping Handler
    ) -> Route {
        Route(
            methods: [.post], paths: paths, condition: condition, takesAnyContentType: takesAnyContentType,
            handler: handler)
    }
}

/// Chooses between several routes of one path by the fields of the body.
struct BodyCondition: Sendable {
    /// Fields that must be there; `inputs.sentences` is one inside of an object.
    var present: [String] = []
    var absent: [String] = []

    static func has(_ fields: String..., butNot absent: String...) -> BodyCondition {
        BodyCondition(present: fields, absent: absent)
    }

    var isAlwaysTrue: Bool { present.isEmpty && absent.isEmpty }

    func holds(for body: JSONBody) -> Bool {
        present.allSatisfy(body.fields.contains) && !absent.contains(where: body.fields.contains)
    }
}
#endif
