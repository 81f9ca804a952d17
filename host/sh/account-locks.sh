# Removes lock files of the account files that nothing holds any more. The programs of shadow-utils do so themselves if
# the process is gone, but not if a power cut emptied the file, or if another process has that ID since the boot: then
# they fail for good (lib/commonio.c).
for f in passwd shadow group gshadow subuid subgid; do
  f=/etc/$f.lock
  [ -f "$f" ] || continue
  c=; read -r c <"/proc/$(tr -dc 0-9 <"$f")/comm" || :
  case $c in *user* | *group* | *passwd | ch* | pw* | grp* | vi*) ;; *) rm -f -- "$f" ;; esac
done 2>/dev/null
