# Two commands for a newcomer: `make demo` and `make test`. `make help` lists the rest.
.POSIX:
VENV_PYTHON = .venv/bin/python
ARGS =
# Most tests wait most of the time. With ARGS that name few tests, WORKERS=0 is quicker.
WORKERS = $$(( $$(nproc) * 2 ))
XDIST = -n $(WORKERS) --dist worksteal
# Most of the long ones wait: four leave half of two cores idle at the end.
LONG_WORKERS = $$(( $$(nproc) * 3 ))
DESTDIR =
PREFIX = /usr
PYTHON = /usr/bin/python3
PACKAGE = all
INIT =
# Emulated machines, each with one processor.
TWO_AT_A_TIME = -n 2 --dist worksteal
# What a file of tests builds once is for all of them.
BY_FILE = -n $$(nproc) --dist loadfile

.PHONY: help setup demo lint types test test-long test-all check coverage bench bench-peers bench-vm bench-fleet fuzz fuzz-seeded test-pythons test-pythons-all test-install install deb rpm \
    test-packages test-packages-all test-bare test-bare-all peers peers-all crash musl vm-test vm-test-all clean

help:
	@echo "make demo          the whole pipeline against the embedded Azure emulator, in a scratch root, unprivileged;"
	@echo "                   ARGS=\"--platform nocloud\": with a NoCloud seed instead"
	@echo "make test          the tests (as root, also those with real DHCP clients, useradd, sshd); ARGS=... for pytest, WORKERS=..."
	@echo "make test-long     many cases of one kind, which make test leaves out: damaged media, scenarios, disks"
	@echo "make test-all      both"
	@echo "make check         lint, types and tests: what must pass before a commit"
	@echo "make coverage      which lines and branches the tests run: build/coverage.txt, and the total"
	@echo "make bench         ratios of time, CPU and memory, measured in one run"
	@echo "make bench-peers   lightinit beside cloud-init, waagent, azure-init and afterburn (as root; some 30 minutes); ARGS=\"--against COMMIT\""
	@echo "make bench-vm      what lightinit adds to the boot of a VM, and what cloud-init adds (as root; takes some 15 minutes)"
	@echo "make bench-fleet   200 and 1,000 VMs at once against the emulator: requests, 429s, the last Ready (minutes)"
	@echo "make fuzz          random inputs for all that reads: 45 s in all, or ARGS=\"--each 60\" (a minute each), ARGS=\"--each 60 azure.ovf\""
	@echo "make fuzz-seeded   the same random inputs each time, for every reader; ARGS=\"--seed 2\" others"
	@echo "make test-pythons  the tests on the oldest, and the unit tests on the newest Python that can be found"
	@echo "make test-pythons-all  each case of them, on both"
	@echo "make test-install  pip install . into an empty environment, without a compiler, and run what it installed"
	@echo "make install       what other packagers call: DESTDIR=, PREFIX=/usr, PYTHON=/usr/bin/python3, PACKAGE=, INIT=; see packaging/README.md"
	@echo "make deb           the Debian packages, in build/packages"
	@echo "make rpm           the RPM packages, in build/packages"
	@echo "make test-packages builds both and installs them in roots of bookworm (as root; takes minutes)"
	@echo "make test-packages-all  also in roots of trixie, with the peers, and builds the packages of other distributions"
	@echo "make test-bare     one case of each test in a Debian that has nothing else, as root and as an ordinary user (as root)"
	@echo "make test-bare-all each case"
	@echo "make peers         Debian's own cloud-init and waagent provision against the emulator (as root; takes minutes)"
	@echo "make peers-all     also azure-init and afterburn, which cargo builds first (some 10 minutes, once)"
	@echo "make crash         cuts the power at each moment of a recorded first boot, and boots from each disk that this may leave (needs strace; as root also of a live root); PIECE=1/4: a fourth of them"
	@echo "make musl          a root in which all programs use musl, for vm-test, which makes it itself if need be (as root)"
	@echo "make vm-test       boots, reboots, clones and cuts off real VMs: Debian, and what Alpine and Arch are like (as root; takes some 10 minutes)"
	@echo "make vm-test-all   the same on six images of Debian and every kind of distribution; ends with a table (takes hours)"
	@echo "make clean         remove what these have made"

setup:
	@tools/setup

demo: setup
	@$(VENV_PYTHON) tools/demo.py $(ARGS)

lint: setup
	$(VENV_PYTHON) -m ruff check .
	$(VENV_PYTHON) -m ruff format --check .
	@tools/lint-shell

types: setup
	$(VENV_PYTHON) -m mypy

# Most tests start lightinit as a process: compiled, it starts in half the time.
test: setup
	@$(VENV_PYTHON) -m compileall -qq lightinit modules || :
	env -u PYTHONDONTWRITEBYTECODE LIGHTINIT_TESTS=quick $(VENV_PYTHON) -m pytest $(XDIST) $(ARGS)

test-long: setup
	@$(VENV_PYTHON) -m compileall -qq lightinit modules || :
	env -u PYTHONDONTWRITEBYTECODE LIGHTINIT_TESTS=long $(VENV_PYTHON) -m pytest -n $(LONG_WORKERS) --dist worksteal $(ARGS)

test-all: test test-long

check: lint types test

coverage: setup
	@tools/coverage $(XDIST) $(ARGS)

bench-fleet: setup
	@$(VENV_PYTHON) bench/fleet.py $(ARGS)

bench: setup
	@$(VENV_PYTHON) bench/run.py

bench-peers: setup
	@$(VENV_PYTHON) -m bench.peers $(ARGS)

bench-vm: setup deb
	@$(VENV_PYTHON) -m bench.vm

test-pythons: setup
	@tools/test-pythons

test-pythons-all: setup
	@tools/test-pythons --all

fuzz: setup
	@$(VENV_PYTHON) tools/fuzz.py $(ARGS)

# What CI runs: it repeats.
fuzz-seeded: setup
	@$(VENV_PYTHON) tools/fuzz.py --seed 1 $(ARGS)

test-install:
	@tools/test-install

install:
	@packaging/install --destdir "$(DESTDIR)" --prefix "$(PREFIX)" --python "$(PYTHON)" --package "$(PACKAGE)" --init "$(INIT)"
	@[ -n "$(DESTDIR)" ] || [ "$(PACKAGE)" = lightinit-emulator ] || "$(PREFIX)/lib/lightinit/bytecode" compile

# LIGHTINIT_DEB: .ci/run has built it for all that need it
deb:
	@[ "$$LIGHTINIT_DEB" = "done" ] || packaging/build-deb

rpm:
	@packaging/build-rpm

test-packages: setup
	LIGHTINIT_PACKAGES=1 $(VENV_PYTHON) -m pytest $(BY_FILE) tests/packages $(ARGS)

test-packages-all: setup
	LIGHTINIT_PACKAGES=all LIGHTINIT_PEERS=1 $(VENV_PYTHON) -m pytest $(BY_FILE) tests/packages tests/peers $(ARGS)

test-bare: setup
	@tools/test-bare

test-bare-all: setup
	@tools/test-bare --all

peers: setup
	LIGHTINIT_PEERS=1 $(VENV_PYTHON) -m pytest $(BY_FILE) tests/peers $(ARGS)

peers-all: setup
	@tools/build-peers
	LIGHTINIT_PEERS=all $(VENV_PYTHON) -m pytest $(BY_FILE) tests/peers $(ARGS)

crash: setup
	LIGHTINIT_CRASH=$(or $(PIECE),all) $(VENV_PYTHON) -m pytest -k "each_disk_that_a_power_cut_leaves" tests/emulated/test_crash_replay.py \
	    tests/real_tools/test_crash_replay_real.py $(ARGS)

musl: setup
	@tools/build-musl

vm-test: setup deb
	LIGHTINIT_VM=1 $(VENV_PYTHON) -m pytest $(TWO_AT_A_TIME) tests/vm $(ARGS)

vm-test-all: setup deb
	LIGHTINIT_VM=all $(VENV_PYTHON) -m pytest $(TWO_AT_A_TIME) tests/vm $(ARGS)

clean:
	rm -rf .venv build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
