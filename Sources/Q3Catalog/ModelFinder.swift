// What a model's name means: a path, a name of models.txt, or the name of a file in the model folder.
import Q3System

/// Finds models by what people call them.
package struct ModelFinder: Sendable {
    package let catalog: Catalog
    package let folder: ModelFolder

    package init(catalog: Catalog, folder: ModelFolder) {
        self.catalog = catalog
        self.folder = folder
    }

    /// The path of a model. What has a slash, or is there in the current folder and no folder itself, is a path. Reads no
    /// environment for these, so that a path works wherever q3 runs.
    package static func path(of given: String, environment: [String: String]) throws(CatalogError) -> String {
        if given.hasByte("/") || kind(of: given) == .file { return given }
        return try ModelFinder(
            catalog: .current(environment: environment), folder: ModelFolder(environment: environment)
        ).path(ofName: given)
    }

    /// The path of a name: a file of the catalog that was pulled, the best there is of a model, else a file of the
    /// model folder, with or without ".gguf".
    package func path(ofName name: String) throws(CatalogError) -> String {
        if let entry = catalog.entry(named: name) {
            let path = folder.file(entry.source.fileName)
            guard Self.kind(of: path) == .file else { throw .notPulled(name: entry.name, path: path) }
            return path
        }
        if let recommended = catalog.entries(ofModel: name).first {
            let here = catalog.entries(ofModel: name).lazy.map { folder.file($0.source.fileName) }
            if let path = here.first(where: { Self.kind(of: $0) == .file }) { return path }
            throw .notPulled(name: recommended.name, path: folder.file(recommended.source.fileName))
        }
        for file in [name, "\(name).gguf"] where !name.hasPrefix(".") && Self.kind(of: folder.file(file)) == .file {
            return folder.file(file)
        }
        throw unknown(name)
    }

    /// The error for a name that nothing has.
    package func unknown(_ name: String) -> CatalogError {
        let names = catalog.entries.map(\.name) + folder.fileNames()
        return .unknownModel(name: name, near: NearNames.of(name, in: names), folder: folder.path)
    }

    private enum Kind { case nothing, file, folder }

    private static func kind(of path: String) -> Kind {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return .nothing }
        return status.st_mode & S_IFMT == S_IFDIR ? .folder : .file
    }
}
