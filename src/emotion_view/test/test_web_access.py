import pytest

from emotion_view.web.access import Access, is_local


@pytest.mark.parametrize('address', ['127.0.0.1', '::1', 'localhost', '127.3.2.1'])
def test_local_addresses_need_no_token(address):
    assert is_local(address)
    access = Access(address)
    assert access.token == '' and access.knows('')
    assert '?token' not in access.link(8088)


@pytest.mark.parametrize('address', ['0.0.0.0', '::', '192.168.1.5', 'robot.example'])
def test_other_addresses_need_one_and_the_link_brings_it(address):
    access = Access(address)
    assert len(access.token) >= 20 and access.token != Access(address).token
    assert access.link(8088).endswith(f':8088/?token={access.token}')
    assert access.knows(access.token)
    assert not access.knows('') and not access.knows(access.token[:-1]) and not access.knows('é')
    assert '0.0.0.0' not in access.link(8088) and '[::]' not in access.link(8088)


def test_token_of_the_user_is_asked_for_everywhere():
    access = Access('127.0.0.1', 'mine')
    assert access.knows('mine') and not access.knows('')
    assert access.link(1) == 'http://127.0.0.1:1/?token=mine'


def test_link_to_an_ipv6_address_has_brackets():
    assert Access('::1').link(8088) == 'http://[::1]:8088/'


@pytest.mark.parametrize('host', ['localhost:8088', '127.0.0.1:8088', '127.0.0.1', '[::1]:8088', 'LOCALHOST:9000'])
def test_local_server_goes_by_local_names(host):
    assert Access('127.0.0.1').refuse_host(host) == ''


@pytest.mark.parametrize(
    'host', ['evil.example:8088', 'evil.example', '', '[', '192.168.1.5:8088', 'localhost.evil.example']
)
def test_local_server_goes_by_no_other_name(host):
    assert 'open the link' in Access('127.0.0.1').refuse_host(host)


def test_server_for_all_goes_by_addresses_and_its_own_name(monkeypatch):
    monkeypatch.setattr('socket.gethostname', lambda: 'Robot')
    access = Access('0.0.0.0')
    for host in ('192.168.1.5:8088', '[fe80::1]:8088', 'robot:8088', 'robot.local', 'localhost:8088'):
        assert access.refuse_host(host) == '', host
    assert access.refuse_host('evil.example:8088') != ''


@pytest.mark.parametrize('address', ['127.0.0.1', '0.0.0.0'])
def test_server_goes_by_the_names_that_it_is_given(address):
    access = Access(address, host_names='Robot.lan, robot.vpn.example')
    for host in ('robot.lan:8088', 'ROBOT.vpn.example'):
        assert access.refuse_host(host) == '', host
    for host in ('lan', 'x.robot.lan', '', 'evil.example'):
        assert 'host_names' in access.refuse_host(host), host


@pytest.mark.parametrize(
    'origin, allowed',
    [
        (None, True),  # no browser
        ('http://localhost:8088', True),
        ('https://LOCALHOST:8088', True),
        ('http://localhost:9', False),
        ('http://evil.example', False),
        ('null', False),
        ('', False),
        ('http://[', False),
    ],
)
def test_only_its_own_page_may_act(origin, allowed):
    headers = {'Host': 'localhost:8088'} | ({} if origin is None else {'Origin': origin})
    assert (Access('127.0.0.1').refuse_origin(headers) == '') == allowed
