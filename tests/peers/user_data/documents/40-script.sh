#!/bin/sh -e
# A script alone.
echo "script as $(id -un) in $(pwd) with $#" >>/srv/log
umask >>/srv/log
