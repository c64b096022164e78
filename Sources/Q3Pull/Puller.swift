// From a name to a model in the folder: what its hash must be, its bytes, the check, and its name.
#if Pull
package import Q3Catalog
internal import Q3GGUF
import Q3System

/// Downloads models. The file has its name only after its bytes were checked and are on disk.
package struct Puller {
    private let file: RepositoryFile
    private let entry: CatalogEntry?
    private let options: PullOptions
    private let environment: [String: String]
    private let folder: ModelFolder

    /// `entry` is the file's line of the catalog, if it has one.
    package init(
        _ file: RepositoryFile, entry: CatalogEntry?, folder: ModelFolder, environment: [String: String],
        options: PullOptions
    ) {
        self.file = file
        self.entry = entry
        self.folder = folder
        self.environment = environment
        self.options = options
    }

    package func run() async throws -> PulledModel {
        if let asked = options.digest, let known = entry?.digest, asked != known {
            throw PullError.otherHashAsked(name: entry?.name ?? file.fileName, known: known.hex)
        }
        let folder = try PullFolder(folder, creating: !options.offline)
        if folder.isOpenToAll {
            options.note("warning: anybody on this machine may replace files in \(folder.path); chmod o-w it")
        }
        if options.offline { return try offline(folder) }
        let hub = try Hub(environment: environment, options: options)
        let lock = try await PullLock(file.fileName, in: folder) {
            options.note("another q3 downloads \(file.fileName); waiting for it")
        }
        defer { withExtendedLifetime(lock) {} }
        if try folder.contains(file.fileName), !options.force { return try await existing(folder, hub) }
        return try await download(folder, hub)
    }

    /// The hash that the file must have, as far as that is known without asking, and who says so.
    private var known: (digest: SHA256Digest, source: ModelRecord.Source)? {
        entry?.digest.map { ($0, .catalog) } ?? options.digest.map { ($0, .option) }
    }

    // MARK: A file that is there

    private func offline(_ folder: PullFolder) throws -> PulledModel {
        guard try folder.contains(file.fileName) else { throw PullError.absent(path: folder.file(file.fileName)) }
        return try verified(folder, known)
    }

    private func existing(_ folder: PullFolder, _ hub: Hub) async throws -> PulledModel {
        let path = folder.file(file.fileName)
        guard known == nil, record(of: path)?.source ?? .nobody == .nobody, !options.unverified else {
            return try verified(folder, known)
        }
        return try verified(folder, try await ask(hub).digest.map { ($0, .server) })
    }

    /// The download record, if it names the same source.
    private func record(of path: String) -> ModelRecord? {
        ModelRecord(ofModel: path).flatMap { $0.repository == file.repository && $0.file == file.path ? $0 : nil }
    }

    /// Reads the file that is there and compares it with what is known, or with what was known when it came.
    private func verified(
        _ folder: PullFolder, _ known: (digest: SHA256Digest, source: ModelRecord.Source)?
    ) throws -> PulledModel {
        let path = folder.file(file.fileName)
        let record = record(of: path)
        let expected =
            known
            ?? record.flatMap { record in record.digest.map { ($0, record.source) } }
            .flatMap { $0.1 == .nobody && !options.unverified ? nil : $0 }
        guard expected != nil || options.unverified else { throw PullError.unknownHash(path: path) }
        let digest = try SHA256Digest(ofFile: file.fileName, in: folder)
        if let expected, expected.digest != digest {
            throw PullError.otherBytes(path: path, expected: expected.digest.hex, got: digest.hex)
        }
        return PulledModel(
            path: path, digest: digest, byteCount: folder.byteCount(of: file.fileName),
            revision: record?.revision, source: expected?.source ?? .nobody, isNew: false)
    }

    // MARK: A file that is not

    private func download(_ folder: PullFolder, _ hub: Hub) async throws -> PulledModel {
        var facts = HubFacts()
        var expected = Download.Expected(digest: known?.digest, byteCount: entry?.byteCount)
        if let byteCount = expected.byteCount, byteCount > folder.freeBytes {
            throw PullError.noSpace(path: folder.path, needed: byteCount, free: folder.freeBytes)
        }
        if known == nil {
            facts = try await ask(hub)
            guard facts.digest != nil || options.unverified else {
                throw PullError.noHash("\(try hub.address(of: file))")
            }
            expected.digest = facts.digest
            expected.byteCount = expected.byteCount ?? facts.byteCount
        }
        let part = try PartFile(for: file.fileName, in: folder)
        let download = Download(
            hub: hub, address: try hub.address(of: file), part: part, folder: folder, options: options,
            expected: expected)
        let newer: HubFacts
        do {
            newer = try await download.run()
        } catch {
            if part.byteCount == 0 { part.discard() }
            throw error
        }
        let digest = try check(part, expected.digest)
        let source = known?.source ?? (expected.digest == nil ? .nobody : .server)
        let revision = newer.revision ?? facts.revision
        let record = ModelRecord(
            source: file, revision: revision, bytes: part.byteCount, digest: digest, from: source)
        try part.publish(as: file.fileName)
        options.unfinished(nil)
        try folder.write(try record.json(), to: ModelRecord.path(ofModel: file.fileName))
        folder.sync()
        return PulledModel(
            path: folder.file(file.fileName), digest: digest, byteCount: part.byteCount, revision: revision,
            source: source,
            isNew: true)
    }

    /// Reads the whole part, both what came now and what came earlier; a part of another model is deleted.
    private func check(_ part: PartFile, _ expected: SHA256Digest?) throws -> SHA256Digest {
        let digest = try part.digest
        var fault: String?
        do throws(GGUFError) {
            _ = try GGUFFile(path: part.path)
        } catch {
            fault = "\(error)"
        }
        if let expected, expected != digest {
            part.discard()
            throw PullError.wrongHash(file.fileName, expected: expected.hex, got: digest.hex, hint: fault)
        }
        if let fault {
            part.discard()
            throw PullError.notAModel(file.fileName, fault: fault)
        }
        if expected == nil {
            options.note("warning: no source confirms the SHA-256 of \(file.fileName), \(digest)")
        }
        return digest
    }

    // MARK: What the hub knows

    /// Asks what hash and size the file has: by the headers of its answer, else by the LFS pointer of the same
    /// revision.
    private func ask(_ hub: Hub) async throws -> HubFacts {
        let address = try hub.address(of: file)
        let facts = try await retrying {
            let (answer, place, facts) = try await hub.get(address, headers: [("Range", "bytes=0-0")])
            try Download.checkStatus(answer, at: place, hasToken: hub.hasToken)
            return facts
        }
        guard facts.digest == nil else { return facts }
        let pointer = try hub.address(of: file, revision: facts.revision ?? "main", kind: "raw")
        let pointed: HubFacts? = try await retrying {
            let (answer, _, _) = try await hub.get(pointer)
            guard answer.status == 200 else { return nil }
            var text: [UInt8] = []
            while let bytes = try await answer.next() {
                text += bytes
                guard text.count <= 1024 else { return nil }  // no pointer, but the file itself
            }
            return HubFacts(pointer: String(decoding: text, as: UTF8.self))
        }
        guard var pointed else { return facts }
        pointed.revision = facts.revision
        return pointed
    }

    private func retrying<R>(_ body: () async throws -> R) async throws -> R {
        var failures = 0
        while true {
            do {
                return try await body()
            } catch let error as PullError where error.isTransient {
                failures += 1
                guard failures <= options.retries else { throw error }
                try await Task.sleep(for: .seconds(min(1 << min(failures - 1, 5), 30)))
            }
        }
    }
}
#endif
