# Copyright 2026 The lightinit authors
# Distributed under the terms of the MIT License
# Put it with metadata.xml into app-emulation/lightinit of an overlay, put lightinit-VERSION.tar.gz (packaging/build-source)
# into DISTDIR, and run `ebuild lightinit-VERSION.ebuild manifest`. PYTHON_SINGLE_TARGET chooses the Python.

EAPI=8

PYTHON_COMPAT=( python3_{11..14} )

inherit python-single-r1

DESCRIPTION="Provisions a Linux VM on its first boot"
HOMEPAGE="https://example.org/lightinit"
SRC_URI="${P}.tar.gz"

LICENSE="MIT"
SLOT="0"
KEYWORDS="~amd64 ~arm64"
IUSE="emulator systemd"
REQUIRED_USE="${PYTHON_REQUIRED_USE}"
RESTRICT="fetch test"

RDEPEND="
	${PYTHON_DEPS}
	$(python_gen_cond_dep '
		dev-python/cryptography[${PYTHON_USEDEP}]
		dev-python/netifaces[${PYTHON_USEDEP}]
		dev-python/pyyaml[${PYTHON_USEDEP}]
		dev-python/requests[${PYTHON_USEDEP}]
	')
"
BDEPEND="${PYTHON_DEPS}"

src_compile() { :; }

src_install() {
	local init=openrc
	use systemd && init=
	# PYTHON is the path of the Python that PYTHON_SINGLE_TARGET names.
	emake install DESTDIR="${D}" PREFIX="${EPREFIX}/usr" PYTHON="${PYTHON}" PACKAGE=lightinit INIT="${init}"
	if use emulator; then
		emake install DESTDIR="${D}" PREFIX="${EPREFIX}/usr" PYTHON="${PYTHON}" PACKAGE=lightinit-emulator
	fi
	keepdir /etc/lightinit/conf.d
	python_optimize "${ED}/usr/lib/lightinit/lightinit"
	dodoc CHANGELOG.md README.md
}

pkg_postinst() {
	# Whether another agent provisions this machine: then lightinit is switched off. Else it says how to enable it.
	[[ -n ${REPLACING_VERSIONS} ]] || "${EROOT}/usr/lib/lightinit/on-install" "${ROOT:-/}"
}
