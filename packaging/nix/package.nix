# lightinit for Nix: callPackage ./package.nix { }
# The Python that runs it is one of the store, with its libraries; `python3` chooses it. Where nixpkgs has no netifaces
# for that Python any more: netifaces-plus, which has the same module.
{ lib, stdenvNoCC, python3
, src ? lib.cleanSource ../..
, withEmulator ? false
}:

let
  python = python3.withPackages (ps: [ ps.cryptography ps.requests ps.pyyaml (ps.netifaces or ps.netifaces-plus) ]);
in
stdenvNoCC.mkDerivation {
  pname = "lightinit";
  version = "0.1.0";
  inherit src;

  nativeBuildInputs = [ python3 ];
  dontConfigure = true;
  dontBuild = true;

  # packaging/files has places below /etc, too; they go into the output, and the module links them.
  installPhase = ''
    runHook preInstall
    install() {
      python3 packaging/install --destdir "$TMPDIR/root" --prefix "$out" --python ${python}/bin/python3 --package "$1"
    }
    install lightinit
    ${lib.optionalString withEmulator "install lightinit-emulator"}
    mkdir -p "$out"
    cp -r "$TMPDIR/root$out/." "$out"
    cp -r "$TMPDIR/root/etc" "$out/etc"
    # The store gives all files the same date, so bytecode must not name that of its source.
    python3 -I -m compileall -q --invalidation-mode unchecked-hash "$out/lib"
    runHook postInstall
  '';

  # Its own first lines keep Python from the environment, and name the Python above.
  dontPatchShebangs = true;

  meta = {
    description = "Provisions a Linux VM on its first boot";
    license = lib.licenses.mit;
    platforms = lib.platforms.linux;
    mainProgram = "lightinit";
  };
}
