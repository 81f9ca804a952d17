# repair makes dpkg complete an interrupted run.
repair() {
  for u in /var/lib/dpkg/updates/[0-9]*; do
    [ -e "$u" ] || return 0
    dpkg --force-confdef --force-confold --configure -a
    return
  done
}
