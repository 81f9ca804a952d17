# Prints the lines, with their files, that say whether cloud-init writes /etc/hosts at boot. Of the configuration and of
# the user-data, which has precedence, the last line counts. Nothing else of them is printed: user-data has passwords.
[ -x /usr/bin/cloud-init ] && [ ! -e /etc/cloud/cloud-init.disabled ] || exit 0
if grep -q 'cloud-init=disabled' /proc/cmdline; then exit 0; fi
grep -sH '^manage_etc_hosts:' -- /etc/cloud/cloud.cfg /etc/cloud/cloud.cfg.d/*.cfg \
  /var/lib/cloud/instance/user-data.txt /boot/user-data /boot/firmware/user-data
