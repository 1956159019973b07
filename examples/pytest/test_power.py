import time


def test_power(device):
    time.sleep(2)  # as long as it takes to find out
    assert False, "device %s: supply voltage could not be read" % device
