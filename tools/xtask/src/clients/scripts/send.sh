# curl with a body of 20 MiB: `send.sh URL`.
head -c 20971520 /dev/zero > body && exec curl -sS --max-time 60 --data-binary @body "$1"
