# lightinit on NixOS: imports = [ ./module.nix ]; services.lightinit.enable = true;
# Accounts and host names are those of the platform, so users.mutableUsers must stay true, and networking.hostName empty.
{ config, lib, pkgs, ... }:

let
  cfg = config.services.lightinit;
in
{
  options.services.lightinit = {
    enable = lib.mkEnableOption "lightinit, which provisions this VM on its first boot";

    package = lib.mkOption {
      type = lib.types.package;
      default = pkgs.callPackage ./package.nix { };
      defaultText = lib.literalExpression "pkgs.callPackage ./package.nix { }";
      description = "The package; its python3 argument is the Python that runs lightinit.";
    };

    settings = lib.mkOption {
      type = lib.types.attrsOf (lib.types.attrsOf lib.types.str);
      default = { };
      example = { "module.users" = { groups = "wheel"; }; };
      description = "Sections and keys of lightinit.conf(5). The others keep their defaults.";
    };
  };

  config = lib.mkIf cfg.enable {
    assertions = [
      {
        assertion = config.users.mutableUsers;
        message = "services.lightinit makes the admin's account, so users.mutableUsers must be true.";
      }
      {
        assertion = !config.services.cloud-init.enable && !config.services.waagent.enable;
        message = "services.lightinit, cloud-init and waagent would all provision this VM: enable one of them.";
      }
    ];

    environment.systemPackages = [ cfg.package ];
    environment.etc."lightinit/lightinit.conf".text = lib.generators.toINI { } cfg.settings;

    # NixOS' sudoers does not read this directory, and the admin's rule is a file there.
    security.sudo.extraConfig = "#includedir /etc/sudoers.d";
    # The platform names the machine.
    networking.hostName = lib.mkDefault "";
    networking.useNetworkd = lib.mkDefault true;
    services.openssh.enable = lib.mkDefault true;

    # The package's own units; their target orders sshd and sshd-keygen after the accounts. NixOS adds the tools that
    # lightinit calls.
    systemd.packages = [ cfg.package ];
    systemd.services.lightinit = {
      wantedBy = [ "multi-user.target" ];
      path = with pkgs; [ coreutils e2fsprogs gnugrep gnused iproute2 openssh shadow systemd util-linux cloud-utils ];
    };
  };
}
