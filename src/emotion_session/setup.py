from setuptools import find_packages, setup

package_name = 'emotion_session'

setup(
    name=package_name,
    version='0.1.0',
    packages=find_packages(exclude=['test']),
    data_files=[
        ('share/ament_index/resource_index/packages', ['resource/' + package_name]),
        ('share/' + package_name, ['package.xml']),
    ],
    install_requires=['setuptools'],
    zip_safe=True,
    maintainer='emotion_ros maintainers',
    maintainer_email='maintainers@emotion-ros.org',
    description='Locks a held expression, listens for an utterance, and gives face, voice and both: an action server.',
    license='Apache-2.0',
    extras_require={'test': ['pytest']},
    entry_points={'console_scripts': ['session = emotion_session.node:main']},
)
