#!/bin/sh
# Starts Redis with two users: the gateway's, who may do what docs/redis.md lists, and one that can only say PING.
set -eu

users=${ACL_FILE:-/run/redis/users.acl}
password=$(tr -d '\n' <"${PASSWORD_FILE:-/run/secrets/redis-password}" | sha256sum | cut -c 1-64)

umask 077
cat >"$users" <<USERS
user default off
user health on nopass -@all +ping
user gateway on #$password ~acsgw:* &acsgw:* -@all +eval +evalsha +hget +hgetall +hset +hdel +hkeys +hlen +del +pttl +pexpire +time +info +incrby +lindex +llen +rpush +ltrim +zadd +zcard +zremrangebyscore +publish +subscribe +hello +readonly +client|setname +cluster|slots +cluster|info
USERS

exec "${REDIS_SERVER:-redis-server}" "${REDIS_CONFIG:-/etc/redis/redis.conf}" --aclfile "$users" "$@"
