"""Notices what changes quotas: raises their revision, and drops the counters that nothing limits any more."""

from typing import Any

from django.db import transaction
from django.db.models import Q
from django.db.models.signals import m2m_changed, post_delete, post_save, pre_save

from accounts.counters import keep_counters_still
from accounts.models import Counter, Quota, Unit, User
from storage.revisions import QUOTAS, raise_revision


def connect() -> None:
    """Begins to listen; once, when the app is ready."""
    pre_save.connect(_quota_about_to_change, Quota)
    post_save.connect(_quota_changed, Quota)
    post_delete.connect(_quota_deleted, Quota)
    post_save.connect(_user_saved, User)
    m2m_changed.connect(_groups_changed, User.groups.through)


_KEY = ("user_id", "group_id", "token_id", "provider", "unit", "window")


def _quota_about_to_change(instance: Quota, raw: bool = False, **_: Any) -> None:
    """One that is made to count something else is, for what it has counted so far, one that is deleted."""
    before = None if raw or instance.pk is None else Quota.objects.filter(pk=instance.pk).first()
    if before is not None and any(getattr(before, name) != getattr(instance, name) for name in _KEY):
        _let_go(before)


def _quota_changed(**_: Any) -> None:
    raise_revision(QUOTAS)


def _user_saved(created: bool, update_fields: frozenset[str] | None, **_: Any) -> None:
    """Signing in saves a user too, and changes nothing for quotas; neither does a new one, whom nobody remembers."""
    if not created and (update_fields is None or "time_zone" in update_fields):
        raise_revision(QUOTAS)


def _groups_changed(action: str, **_: Any) -> None:
    if action.startswith("post_"):
        raise_revision(QUOTAS)


def _quota_deleted(instance: Quota, **_: Any) -> None:
    _let_go(instance)


def _let_go(instance: Quota) -> None:
    """A quota that is set again begins at nothing, unless another one has kept its counter running."""
    with transaction.atomic():
        raise_revision(QUOTAS)  # first: so those who delete quotas at the same time do it one after the other
        keep_counters_still()
        counted = Q(provider=instance.provider, unit=instance.unit)
        if instance.unit != Unit.CONCURRENCY:  # those are released by the calls that run
            _drop_counters(instance, counted & Q(window=instance.window))


def _drop_counters(quota: Quota, counted: Q) -> None:
    same = Quota.objects.exclude(pk=quota.pk).filter(provider=quota.provider, unit=quota.unit, window=quota.window)
    everybody = same.filter(user=None, group=None, token=None)
    if quota.group_id or quota.token_id:
        kind, key = ("group", quota.group_id) if quota.group_id else ("token", quota.token_id)
        if not same.filter(**{f"{kind}_id": key}).exists():
            Counter.objects.filter(counted, scope=f"{kind}:{key}").delete()
    elif everybody.exists():
        return
    elif quota.user_id:
        if not same.filter(user=quota.user_id).exists():
            Counter.objects.filter(counted, scope=f"user:{quota.user_id}").delete()
    else:
        limited = [f"user:{user}" for user in same.filter(user__isnull=False).values_list("user_id", flat=True)]
        Counter.objects.filter(counted, scope__startswith="user:").exclude(scope__in=limited).delete()
