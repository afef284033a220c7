from setuptools import find_packages, setup

package_name = 'emotion_view'

setup(
    name=package_name,
    version='0.1.0',
    packages=find_packages(exclude=['test']),
    data_files=[
        ('share/ament_index/resource_index/packages', ['resource/' + package_name]),
        ('share/' + package_name, ['package.xml']),
    ],
    package_data={package_name: ['web/static/*']},
    install_requires=['setuptools'],
    zip_safe=True,
    maintainer='emotion_ros maintainers',
    maintainer_email='maintainers@emotion-ros.org',
    description='Shows what the emotion nodes see and hear: on an image topic, and on a web page.',
    license='Apache-2.0',
    extras_require={'test': ['pytest']},
    entry_points={'console_scripts': ['overlay = emotion_view.overlay_node:main', 'web = emotion_view.web_node:main']},
)
