# The changes that the state needs on a new machine, once, as a person who knows the machine would write them:
# nothing is observed, compared or verified, and all is written to disk once, at the end.
set -e
export DEBIAN_FRONTEND=noninteractive
apt-get -q update
apt-get -q -y --no-install-recommends install lab-test-a lab-test-b lab-test-svc lab-test-conf
groupadd -g 1500 homelab
useradd -m -u 1500 -g homelab -G adm -c Deploys -s /bin/bash deploy
install -d -m 700 -o deploy -g homelab /home/deploy/.ssh
echo 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKxTvCOEjMGL1bkFP6kqLz1EwbA3Lqe8a0dIVyyTyJrh bench@lab' >/home/deploy/.ssh/authorized_keys
chown deploy:homelab /home/deploy/.ssh/authorized_keys
chmod 600 /home/deploy/.ssh/authorized_keys
install -d -m 750 -g homelab /opt/stacks
install -d -o deploy -g homelab /srv/app
install -d /etc/app
for i in 0 1 2 3 4 5 6 7 8 9; do echo "file $i" >/etc/app/file$i; done
for i in 0 1 2; do echo "host $(hostname) $i 8080" >/etc/app/template$i; done
printf '[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n' >/etc/systemd/system/app.service
systemctl daemon-reload
systemctl enable --now app.service lab-test-svc.service ssh.service
echo 'net.ipv4.ip_forward = 1' >/etc/sysctl.d/90-lab.conf
sysctl -q -p /etc/sysctl.d/90-lab.conf
mkdir -p /mnt/backups
echo 'LABEL=backups /mnt/backups ext4 defaults,noatime,nofail 0 2' >>/etc/fstab
systemctl daemon-reload
sed -i 's/^#\?PermitRootLogin .*/PermitRootLogin no/' /etc/ssh/sshd_config
sshd -t
printf '192.0.2.10 gitea.arcodange.lab\n# BEGIN lab\n192.0.2.11 a\n192.0.2.12 b\n# END lab\n' >>/etc/hosts
echo 'deploy ALL=(ALL) NOPASSWD: /usr/bin/systemctl' >/etc/sudoers.d/deploy
chmod 440 /etc/sudoers.d/deploy
visudo -cf /etc/sudoers.d/deploy
echo '0 4 * * * root /bin/true' >/etc/cron.d/backup
touch /srv/app/seed
sync
