"""What many alerts have in common: a dead gateway, a storm."""

from __future__ import annotations

from ohmstead.core.model import Device, DeviceStatus
from ohmstead.plugins.rules.alerts import storm
from tests.fakes.alerted_house import AlertedHouse

OFFLINE = {"kind": "offline", "location": "home", "for": "5s"}


async def behind_a_gateway(house: AlertedHouse, count: int) -> None:
    """A gateway with so many devices, all online."""
    house.devices.add(Device("gate", "Gateway", location="home"))
    for number in range(count):
        house.devices.add(Device(f"M{number}", f"Meter {number}", location="home", via="gate"))
    await house.state(gone=OFFLINE)
    for entry in house.devices:
        house.devices.statuses.report(entry, DeviceStatus.ONLINE, "there")


def leave(house: AlertedHouse, *devices: str, status: DeviceStatus = DeviceStatus.OFFLINE) -> None:
    for device in devices:
        house.devices.statuses.report(house.devices.entry(device), status, "nothing heard for 120 s")


async def test_a_dead_gateway_is_one_alert(house: AlertedHouse) -> None:
    await behind_a_gateway(house, 300)
    leave(house, *(f"M{number}" for number in range(150)))
    await house.wait(3)
    leave(house, "gate", *(f"M{number}" for number in range(150, 300)))
    await house.wait(30)
    assert house.told == ["Gateway is offline"]
    assert "300 devices behind it cannot be heard" in house.notices[0].body
    found = await house.walk("/alerts", open="true")
    gateway = next(alert for alert in found if alert["device"] == "gate")
    assert len(found) == 301
    assert {(alert["status"], alert["group"]) for alert in found if alert is not gateway} == {("suppressed", gateway["id"])}


async def test_devices_that_do_not_come_back_with_their_gateway_are_told_of(house: AlertedHouse) -> None:
    await behind_a_gateway(house, 3)
    leave(house, "M0", "M1", "M2", "gate")
    await house.wait(30)
    leave(house, "gate", "M0", "M1", status=DeviceStatus.ONLINE)
    await house.wait(60)
    assert house.told == ["Gateway is offline", "Resolved: Gateway is offline"]
    await house.wait(70)
    assert house.told[2:] == ["Meter 2 is offline"]
    [alert] = await house.open_alerts()
    assert (alert["device"], alert["status"]) == ("M2", "triggered")


async def test_a_gateway_that_dies_later_explains_what_was_told_before(house: AlertedHouse) -> None:
    await behind_a_gateway(house, 2)
    leave(house, "M0")
    await house.wait(30)
    assert house.told == ["Meter 0 is offline"]
    leave(house, "gate")
    await house.wait(30)
    assert house.told[1:] == ["Gateway is offline"]
    found = {alert["device"]: alert["status"] for alert in await house.open_alerts()}
    assert found == {"gate": "triggered", "M0": "suppressed"}


async def test_nobody_is_told_of_devices_whose_gateway_is_worked_on(house: AlertedHouse) -> None:
    await behind_a_gateway(house, 2)
    house.devices.decide(house.devices.entry("gate"), DeviceStatus.MAINTENANCE, "new firmware")
    leave(house, "M0", "M1")
    await house.wait(30)
    assert house.told == []
    house.devices.decide(house.devices.entry("gate"), DeviceStatus.ONLINE, "done")
    leave(house, "M0", status=DeviceStatus.ONLINE)
    await house.wait(260)
    assert house.told == ["Meter 1 is offline"]


async def test_error_is_a_kind_of_its_own(home: AlertedHouse) -> None:
    home.devices.add(Device("D1", "Plug"))
    await home.state(broken={"kind": "error", "device": "D1"})
    leave(home, "D1", status=DeviceStatus.ERROR)
    await home.catch_up()
    assert home.told == ["Plug is in error"]
    assert home.notices[0].body == "Plug is in error: nothing heard for 120 s."
    leave(home, "D1", status=DeviceStatus.ONLINE)
    await home.catch_up()
    assert await home.open_alerts() == []


async def test_a_device_that_is_gone_for_good_is_no_longer_offline(home: AlertedHouse) -> None:
    home.devices.add(Device("D1", "Plug", location="home"))
    await home.state(gone=OFFLINE)
    leave(home, "D1", status=DeviceStatus.ONLINE)
    leave(home, "D1")
    await home.wait(10)
    assert len(await home.open_alerts()) == 1
    home.devices.remove("D1")
    await home.catch_up()
    assert await home.open_alerts() == []


async def test_thousands_of_alerts_in_a_minute_are_said_once(home: AlertedHouse) -> None:
    count = 3_000
    for number in range(count):
        home.devices.add(Device(f"D{number}", f"D{number}", tags=("t",)))
    await home.state(hot={"tag": "t", "quantity": "temperature", "above": 50, "repeat": "5m"})
    batch = home.ingest.batch("test", "test")
    for number in range(count):
        batch.add(batch.feed(f"D{number}"), "temperature", 60.0, home.clock.now_ms())
    await home.ingest.store(batch)
    await home.catch_up()
    assert len(home.notices) == storm.MOST + 1
    assert home.told.count("Too many alerts at once") == 1
    assert sum(home.alerts.active().values()) == count + 1
    await home.wait(65)
    assert home.told[storm.MOST + 1 :] == ["Resolved: Too many alerts at once"]
    assert f"{count} alerts are open now" in home.notices[-1].body
    assert {alert["status"] for alert in await home.walk("/alerts", open="true", limit=1000)} == {"triggered"}
    home.notices.clear()
    await home.wait(60)
    assert len(home.notices) == 0


async def test_the_troubles_of_the_hub_are_alerts(house: AlertedHouse) -> None:
    from ohmstead.core.events import SystemTrouble, SystemTroubleOver

    house.bus.publish(SystemTrouble("disk", "critical", "The disk is almost full", "93 % are used; free some space."))
    house.bus.publish(SystemTrouble("disk", "critical", "The disk is almost full", "94 % are used; free some space."))
    await house.catch_up()
    [alert] = await house.open_alerts()
    assert (alert["rule"], alert["subject"], alert["severity"], alert["title"]) == ("system", "disk", "critical", "The disk is almost full")
    assert house.notices[0].kind == "system"
    house.bus.publish(SystemTroubleOver("disk"))
    await house.catch_up()
    assert await house.open_alerts() == []


async def test_findings_of_the_ledger_are_alerts(house: AlertedHouse) -> None:
    from ohmstead.plugins.ledger.events import FindingClosed, FindingOpened

    await house.state(data={"kind": "finding", "cause": ["gap", "reset"]})
    house.bus.publish(FindingOpened(3, "gap", "grid", 0, 1, "nothing is known from 1:00 to 2:00"))
    house.bus.publish(FindingOpened(4, "spike", "grid", 0, 1, "a spike"))
    await house.catch_up()
    [alert] = await house.open_alerts()
    assert (alert["subject"], alert["message"]) == ("finding 3", "nothing is known from 1:00 to 2:00")
    house.bus.publish(FindingClosed(3, "gap", "grid", "mended", None))
    await house.catch_up()
    assert await house.open_alerts() == []
