// q3 list: the models that q3 knows by name, and those in the model folder.
import ArgumentParser
import Q3Catalog
import Q3GGUF
import Q3Model
import Q3Pull
import Q3System

struct ListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "Lists models: those known by name, and those downloaded.",
        usage: "q3 list [--json]",
        discussion: """
            The first file of each model is marked: it is the one that 'q3 pull' takes by
            the model's name. The folder is Q3_MODELS, else XDG_CACHE_HOME/q3/models, else
            ~/.cache/q3/models. Every --model takes a name of this list, or the name of a
            file in the folder, in place of a path.

            EXAMPLES
              q3 list
              q3 list --json
            """)

    @Flag(help: "Print JSON.")
    var json = false

    private struct Row {
        let name: String
        let role: String?
        let repository: String?
        let byteCount: Int?
        /// nil for what is not downloaded.
        let path: String?
        var isRecommended = false
        var isBuiltIn = false

        var place: String { isBuiltIn ? "built in" : path == nil ? "-" : "yes" }
    }

    func run() throws {
        let environment = Environment.current.values
        let catalog = try Catalog.current(environment: environment)
        let folder = try ModelFolder(environment: environment)
        let known = catalog.entries.map { entry in
            let path = folder.file(entry.source.fileName)
            let present = Self.byteCount(of: path)
            return Row(
                name: entry.name, role: entry.role.command, repository: entry.source.repository,
                byteCount: present ?? entry.byteCount, path: present == nil ? nil : path,
                isRecommended: catalog.isRecommended(entry))
        }
        let listed = Set(catalog.entries.map(\.source.fileName))
        let others = folder.fileNames().filter { !listed.contains($0) }.map { name in
            let path = folder.file(name)
            return Row(
                name: name, role: nil, repository: ModelRecord(ofModel: path)?.repository,
                byteCount: Self.byteCount(of: path), path: path)
        }
        let builtIn =
            BuiltInModel.byteCount.map {
                [
                    Row(
                        name: BuiltInModel.name, role: ModelRole.Kind.embedding.command, repository: nil, byteCount: $0,
                        path: nil,
                        isBuiltIn: true)
                ]
            } ?? []
        let output = try OutputFile(path: nil, inputs: [])
        try output.write(
            Array((json ? Self.json(known + others, folder) : Self.table(builtIn + known + others, folder)).utf8))

    }

    /// The size of a file, nil if there is none.
    private static func byteCount(of path: String) -> Int? {
        var status = stat()
        guard unsafe stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        return Int(status.st_size)
    }

    private static func table(_ rows: [Row], _ folder: ModelFolder) -> String {
        let cells = rows.map { row in
            let size = row.byteCount.map { "\(max($0 / 1_000_000, 1)) MB" } ?? "-"
            let mark = row.isRecommended ? " *" : ""
            return [row.name.withControlsEscaped + mark, row.role ?? "-", size, row.place]
        }
        let titles = ["NAME", "TASK", "SIZE", "HERE"]
        let widths = (0..<3).map { column in ([titles] + cells).map { $0[column].count }.max() ?? 0 }
        func padding(_ cell: String, _ column: Int) -> String {
            String(repeating: " ", count: widths[column] - cell.count)
        }
        let lines = ([titles] + cells).map { row in
            "\(row[0])\(padding(row[0], 0))  \(row[1])\(padding(row[1], 1))  \(padding(row[2], 2))\(row[2])  \(row[3])\n"
        }
        let advice =
            rows.first(where: { $0.isRecommended && $0.path == nil }).map {
                "* recommended of its model; for a start: q3 pull \($0.name)\n"
            } ?? (rows.contains(where: \.isRecommended) ? "* recommended of its model\n" : "")
        return lines.joined() + "\n\(advice)Files are in \(folder.path.withControlsEscaped)\n"
    }

    private static func json(_ rows: [Row], _ folder: ModelFolder) -> String {
        var object = JSONObject()
        object.add("folder", quoted: folder.path)
        object.add(
            "models",
            list: rows.map { row in
                var object = JSONObject()
                object.add("name", quoted: row.name)
                object.add("role", row.role.map(JSONText.quoted) ?? "null")
                object.add("repository", row.repository.map(JSONText.quoted) ?? "null")
                object.add("bytes", row.byteCount.map(String.init) ?? "null")
                object.add("path", row.path.map(JSONText.quoted) ?? "null")
                return object
            })
        return "\(object)\n"
    }
}
