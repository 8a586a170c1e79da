# installpkg runs this in the root directory of the machine, also when it upgrades.
config() {
  new=$1
  old=${new%.new}
  if [ ! -r "$old" ]; then
    mv "$new" "$old"
  elif cmp -s "$old" "$new"; then
    rm "$new"
  fi
  # Else the administrator decides: both are there.
}

first=
[ -e etc/rc.d/rc.lightinit ] || first=yes
# An administrator's `chmod -x` stays.
if [ -z "$first" ] && [ ! -x etc/rc.d/rc.lightinit ]; then
  chmod a-x etc/rc.d/rc.lightinit.new
fi
config etc/rc.d/rc.lightinit.new
config etc/lightinit/lightinit.conf.new

if [ "$(pwd)" = / ]; then
  usr/lib/lightinit/bytecode compile
fi
if [ -n "$first" ]; then
  # Whether another agent provisions this machine: then lightinit is switched off.
  usr/lib/lightinit/on-install "$(pwd)"
  echo "lightinit: rc.M must call /etc/rc.d/rc.lightinit before rc.inet2; its first lines say how."
fi
