import ArgumentParser
@main struct Q3: ParsableCommand { func run() {} }
