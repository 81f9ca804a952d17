# The reads that the state needs, once, as a person who knows the machine would write them.
stat --printf '%n %f %u %g %U %G %s %Y\n' /opt/stacks /srv/app /etc/app /etc/app/file? /etc/app/template? \
  /etc/systemd/system/app.service /etc/sudoers.d/deploy /etc/cron.d/backup /srv/app/seed /mnt/backups
sha256sum /etc/app/file? /etc/systemd/system/app.service /etc/sudoers.d/deploy /etc/cron.d/backup
cat /etc/app/template? /etc/hosts /etc/ssh/sshd_config /etc/fstab /etc/sysctl.d/90-lab.conf /home/deploy/.ssh/authorized_keys
dpkg-query -W -f='${Package} ${db:Status-Abbrev} ${Version}\n' lab-test-a lab-test-b lab-test-svc lab-test-conf
systemctl show -p Id,LoadState,ActiveState,UnitFileState app.service lab-test-svc.service ssh.service
getent passwd deploy; getent shadow deploy; getent group homelab adm
cat /proc/sys/net/ipv4/ip_forward /proc/self/mountinfo /proc/meminfo /etc/os-release /proc/sys/kernel/random/boot_id
uname -m; date +%s.%N
